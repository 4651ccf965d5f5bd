// What every kernel writes to: a run of elements of one fill.
#ifndef NNINIT_TYPES_RANGE_H_
#define NNINIT_TYPES_RANGE_H_

#include <cstddef>
#include <cstdint>

namespace nninit {

enum class Dtype : int { kFloat32 = 0, kFloat64 = 1, kFloat16 = 2, kBFloat16 = 3 };
constexpr int kDtypes = 4;

inline size_t DtypeBytes(Dtype dtype) { return dtype == Dtype::kFloat32 ? 4 : dtype == Dtype::kFloat64 ? 8 : 2; }

// Elements [begin, begin + count) of a fill, stored at `data`, which is aligned to the element size only.
struct Range {
  void* data;
  Dtype dtype;
  uint64_t begin;
  size_t count;
  // How many threads are writing what is larger than the caches, this range included, and so may write around them; 0
  // if it is not.
  int writers = 0;
};

// The part of `range` from its element `first` on, `count` elements long.
inline Range Part(const Range& range, size_t first, size_t count) {
  return {static_cast<char*>(range.data) + first * DtypeBytes(range.dtype), range.dtype, range.begin + first, count,
          range.writers};
}

}  // namespace nninit

#endif  // NNINIT_TYPES_RANGE_H_
