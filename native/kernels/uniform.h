#ifndef NNINIT_KERNELS_UNIFORM_H_
#define NNINIT_KERNELS_UNIFORM_H_

#include "kernels/detour.h"
#include "random/philox.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// x = min(max(k·scale + a, low), high), where k has 24 random bits (53 for float64) and low and high are the dtype's
// own least value ≥ a and largest value < b.
struct UniformParams {
  double a;
  double scale;
  double low;
  double high;
  // Whether k·scale + a is known to be in [low, high] for every k.
  bool inside;
  // If needed, the numbers above are for float64 and divided by its factor.
  Detour detour = {};
};

// Needs a < b. If the dtype has no value in [a, b), low > high.
UniformParams PrepareUniform(const UniformFill& fill, Dtype dtype);

void UniformRange(const UniformParams& params, const Key& key, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_UNIFORM_H_
