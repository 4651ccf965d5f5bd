#ifndef NNINIT_KERNELS_CONSTANT_H_
#define NNINIT_KERNELS_CONSTANT_H_

#include <cstdint>

#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Every element has the storage bits `bits` (see StorageBits).
void ConstantRange(uint64_t bits, const Range& range);

// Zero but on the diagonals, where the bits are `bits`.
void DiagonalRange(const DiagonalFill& fill, uint64_t bits, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_CONSTANT_H_
