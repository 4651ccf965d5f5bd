// The element types, and the one place where they are told apart.
#ifndef NNINIT_TYPES_DTYPE_H_
#define NNINIT_TYPES_DTYPE_H_

#include <cstddef>
#include <cstdint>

#include "types/compiler.h"

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "-ffast-math changes what the kernels compute: the same bytes everywhere need IEEE 754 as written"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words of the stream and bytes of checkpoints are little-endian: machines of the other order are not supported"
#endif
#if defined(__arm__) || defined(_M_ARM)
#error "vectors of 32-bit ARM flush subnormals to zero: values would differ from those of other machines"
#endif

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
  Unreachable();
}

// Calls work with the memory as elements of the dtype. Inlined, so that per-target code may use it.
template <class Work>
NNINIT_ALWAYS_INLINE auto WithElements(Dtype dtype, void* data, const Work& work) {
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
  Unreachable();
}

}  // namespace nninit

#endif  // NNINIT_TYPES_DTYPE_H_
