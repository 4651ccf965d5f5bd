#ifndef NNINIT_KERNELS_CONSTANT_H_
#define NNINIT_KERNELS_CONSTANT_H_

#include <cstdint>

#include "types/range.h"

namespace nninit {

// Every element has the storage bits `bits` (see StorageBits).
void ConstantRange(uint64_t bits, const Range& range);

// `groups` diagonals of `count` elements: element offset + g·group_stride + d·step for g < groups, d < count.
struct Diagonals {
  uint64_t offset;
  uint64_t step;
  uint64_t count;
  uint64_t groups;
  uint64_t group_stride;
};

// Zero but on the diagonals, where the bits are `bits`.
void DiagonalRange(const Diagonals& diagonals, uint64_t bits, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_CONSTANT_H_
