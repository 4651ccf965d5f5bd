#ifndef NNINIT_KERNELS_NORMAL_H_
#define NNINIT_KERNELS_NORMAL_H_

#include "types/range.h"
#include "random/philox.h"

namespace nninit {

// N(mean, std²) by Box and Muller's transform (1958): element e of the first half of a tile and element e of the second
// share a radius and an angle.
void NormalRange(double mean, double std, const Key& key, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_NORMAL_H_
