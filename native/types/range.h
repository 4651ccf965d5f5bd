// What every kernel writes to: a run of elements of one fill.
#ifndef NNINIT_TYPES_RANGE_H_
#define NNINIT_TYPES_RANGE_H_

#include <cstddef>
#include <cstdint>

#include "types/dtype.h"

namespace nninit {

// Elements [begin, begin + count) of a fill, stored at `data`, which is aligned to the element size only.
struct Range {
  size_t Bytes() const { return count * DtypeBytes(dtype); }

  // The part from element `first` of the range on.
  Range Part(size_t first, size_t length) const {
    return {static_cast<char*>(data) + first * DtypeBytes(dtype), dtype, begin + first, length, writers};
  }

  void* data;
  Dtype dtype;
  uint64_t begin;
  size_t count;
  // How many threads are writing what is larger than the caches, this range included, and so may write around them; 0
  // if it is not.
  int writers = 0;
};

}  // namespace nninit

#endif  // NNINIT_TYPES_RANGE_H_
