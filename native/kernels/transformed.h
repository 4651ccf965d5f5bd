// Functions of a uniform number: one a word of 64 bits, in double whatever the dtype, since models have few of them.
#ifndef NNINIT_KERNELS_TRANSFORMED_H_
#define NNINIT_KERNELS_TRANSFORMED_H_

#include <algorithm>

#include "kernels/elementary.h"
#include "random/philox.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// What a uniform number of [a, b) becomes.
struct LogOf {
  explicit LogOf(const LogOfUniformFill& fill) : uniform{fill.a, fill.b} {}
  double operator()(double u) const { return Log(u); }
  UniformFill uniform;
};

// softplus⁻¹(dt) = dt + ln(1 − e^(−dt)) for a step dt = max(min^(1 − u)·max^u, floor).
struct DtBiasOf {
  explicit DtBiasOf(const DtBiasFill& fill)
      : low(Log(fill.min)), width(Log(fill.max) - Log(fill.min)), floor(fill.floor) {}
  double operator()(double u) const {
    const double dt = std::max(Exp(u * width + low), floor);
    return dt + Log(OneMinusExpOfNegative(dt));
  }
  UniformFill uniform{0, 1};
  double low, width, floor;
};

void TransformedRange(const LogOf& function, const Key& key, const Range& range);
void TransformedRange(const DtBiasOf& function, const Key& key, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_TRANSFORMED_H_
