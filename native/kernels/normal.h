#ifndef NNINIT_KERNELS_NORMAL_H_
#define NNINIT_KERNELS_NORMAL_H_

#include <cstddef>

#include "random/philox.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Elements that take well under a millisecond: whoever may be cancelled asks for no more at once.
constexpr size_t kStretchNormals = size_t{1} << 16;

// The farthest that a normal value is from the mean, in standard deviations, and a little more: float64's ends at 8.65.
constexpr double kFarthestNormal = 9;

// N(mean, std²) by Box and Muller's transform (1958): element e of the first half of a tile and element e of the second
// share a radius and an angle.
void NormalRange(const NormalFill& fill, const Key& key, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_NORMAL_H_
