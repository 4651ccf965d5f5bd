#ifndef NNINIT_KERNELS_TRUNC_NORMAL_H_
#define NNINIT_KERNELS_TRUNC_NORMAL_H_

#include "kernels/detour.h"
#include "random/philox.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// How an element of a truncated normal comes about; docs/streams.md says when which.
enum class TruncMethod {
  kQuantile,     // one word through the quantile function: bounds within ±2.2 standard deviations, not for float64
  kNormal,       // a normal value, redrawn until inside: the bounds hold at least 0.3 of the distribution
  kUniform,      // candidates from a uniform, accepted with the ratio of densities: narrow intervals
  kExponential,  // candidates from an exponential, likewise (Robert 1995): far tails
};

struct TruncNormalParams {
  double mean;
  double std;
  TruncMethod method;
  // The bounds in standard deviations; mirrored if the interval lies in the lower tail, so that |alpha| ≤ |beta|.
  double alpha;
  double beta;
  double sign;      // −1 if mirrored
  double nearest2;  // the least z² in [alpha, beta]
  double mass;      // 1 − exp(−alpha·(beta − alpha)), for kExponential
  // Far from the mean, or where the interval is narrow beyond the numbers, candidates are distances from the bound
  // nearest to the mean: what is left of a difference of large numbers would be too coarse.
  bool from_bound;
  // For kNormal: every element is a redraw. Where values are few spacings apart, those that round to within the bounds
  // are not those that lie within.
  bool all_redrawn;
  double nearest;  // that bound
  double width;    // between the bounds, and in standard deviations
  double width_in_std;
  uint32_t first;                    // Φ(alpha)·2^32, for kQuantile
  uint32_t share;                    // (Φ(beta) − Φ(alpha))·2^32, for kQuantile
  double low, high;                  // the dtype's own bounds: least value ≥ a, largest ≤ b
  double low_compute, high_compute;  // the same for the type computed in
  Detour detour;                     // if needed, all of the above is for float64 and divided by its factor
  size_t stretch;                    // elements, in whole tiles, that take about a millisecond even if each is redrawn
};

// Needs std > 0 and a ≤ b; bounds may be infinite. If the dtype has no value in [a, b], low > high.
TruncNormalParams PrepareTruncNormal(const TruncNormalFill& fill, Dtype dtype);

void TruncNormalRange(const TruncNormalParams& params, const Key& key, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_TRUNC_NORMAL_H_
