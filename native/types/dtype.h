// The element types, and the one place where they are told apart.
#ifndef NNINIT_TYPES_DTYPE_H_
#define NNINIT_TYPES_DTYPE_H_

#include <cstddef>
#include <cstdint>

namespace nninit {

// By the codes of lib/core/dtype.ts. No switch over them has a default: a new one does not compile until each says what
// it is there, and unknown codes are refused by the binding.
enum class Dtype : int { kFloat32 = 0, kFloat64 = 1, kFloat16 = 2, kBFloat16 = 3 };
constexpr int kDtypes = 4;

struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

constexpr size_t DtypeBytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return 4;
    case Dtype::kFloat64:
      return 8;
    case Dtype::kFloat16:
    case Dtype::kBFloat16:
      return 2;
  }
  __builtin_unreachable();
}

// Calls work with the memory as elements of the dtype. Inlined, so that per-target code may use it.
template <class Work>
__attribute__((always_inline)) inline auto WithElements(Dtype dtype, void* data, const Work& work) {
  switch (dtype) {
    case Dtype::kFloat32:
      return work(static_cast<float*>(data));
    case Dtype::kFloat64:
      return work(static_cast<double*>(data));
    case Dtype::kFloat16:
      return work(static_cast<Float16*>(data));
    case Dtype::kBFloat16:
      return work(static_cast<BFloat16*>(data));
  }
  __builtin_unreachable();
}

}  // namespace nninit

#endif  // NNINIT_TYPES_DTYPE_H_
