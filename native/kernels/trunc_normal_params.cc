// How a truncated normal is drawn: which of the methods, and with what numbers. All bytes follow from this.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/elementary.h"
#include "kernels/normal.h"
#include "kernels/normal_cdf.h"
#include "kernels/trunc_normal.h"
#include "types/rounding.h"

namespace nninit {
namespace {

// What rounds to within the bounds is taken: half of this more or less on either side.
double BoundSpacing(const TruncNormalFill& fill, Dtype dtype) {
  double spacing = 0;
  for (const double bound : {fill.a, fill.b}) {
    if (std::isfinite(bound)) spacing = std::max(spacing, Spacing(bound, dtype));
  }
  return spacing;
}

// float32 computes the ways that begin with its own words; the others are float64's everywhere.
bool NeedsDouble(const TruncNormalFill& fill, TruncMethod method, Dtype dtype) {
  if (method != TruncMethod::kQuantile && method != TruncMethod::kNormal) return false;
  const auto [mean, std, a, b] = fill;
  double farthest = 0;
  for (const double bound : {a, b}) {
    farthest = std::max(farthest, std::isfinite(bound) ? std::fabs(bound - mean) : kFarthestNormal * std);
  }
  if (method == TruncMethod::kNormal && BoundSpacing(fill, Dtype::kFloat32) / 2 > kMostShift * std) return true;
  return SingleShifts(mean, std::min(std, b - a)) || SingleStretches(std, dtype) || SingleOverflows(mean, farthest);
}

TruncNormalParams Prepare(const TruncNormalFill& fill, Dtype dtype) {
  const auto [mean, std, a, b] = fill;
  const Dtype compute = dtype == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
  TruncNormalParams p{};
  p.mean = mean;
  p.std = std;
  p.low = RoundUp(a, dtype);
  p.high = RoundDown(b, dtype);
  p.low_compute = RoundUp(a, compute);
  p.high_compute = RoundDown(b, compute);
  p.alpha = (a - mean) / std;
  p.beta = (b - mean) / std;
  p.sign = 1;
  const double cdf_alpha = NormalCdf(p.alpha);
  const double mass = NormalCdf(p.beta) - cdf_alpha;
  p.stretch = size_t{1} << 17;
  if (dtype != Dtype::kFloat64 && p.alpha >= -2.2 && p.beta <= 2.2 && mass >= 0x1p-8) {
    p.method = TruncMethod::kQuantile;
    p.first = static_cast<uint32_t>(cdf_alpha * 0x1p32);
    p.share = static_cast<uint32_t>(mass * 0x1p32);
    return p;
  }
  if (mass >= 0.3) {
    p.method = TruncMethod::kNormal;
    p.all_redrawn = dtype == Dtype::kFloat64 && BoundSpacing(fill, dtype) / 2 > kMostShift * std;
    // A redrawn value takes a hundred times as long as others.
    if (mass < 0.9 || p.all_redrawn) p.stretch = size_t{1} << 13;
    return p;
  }
  p.stretch = size_t{1} << 13;
  p.nearest = a;
  if (p.alpha + p.beta < 0) {
    const double alpha = p.alpha;
    p.alpha = -p.beta;
    p.beta = -alpha;
    p.sign = -1;
    p.nearest = b;
  }
  p.width = b - a;
  p.width_in_std = p.width / std;
  const double nearest = p.alpha > 0 ? p.alpha : 0;
  p.nearest2 = nearest * nearest;
  const double extent = std::min(p.width, std / std::max(p.alpha, 1.0));
  const double largest = std::max(std::fabs(mean), p.alpha * std);
  p.from_bound = (p.alpha > 0 && !(largest <= extent * 0x1p29)) || p.width_in_std < 0x1p-1000;
  const double reach = p.alpha * (p.from_bound ? p.width_in_std : p.beta - p.alpha);
  if (reach < 1) {
    p.method = TruncMethod::kUniform;
  } else {
    p.method = TruncMethod::kExponential;
    p.mass = 1 - Exp(-reach);
  }
  return p;
}

}  // namespace

TruncNormalParams PrepareTruncNormal(const TruncNormalFill& fill, Dtype dtype) {
  const auto [mean, std, a, b] = fill;
  TruncNormalParams p{};
  Detour detour;
  if (dtype == Dtype::kFloat64) {
    const auto finite = [](double x) { return std::isfinite(x) ? std::fabs(x) : 0; };
    detour.factor = FactorFor(std::max({std, std::fabs(mean), finite(a), finite(b)}));
    // A std that has no sixteenth is so small that differences beyond all numbers are as good as infinite.
    if (std::fabs(std / detour.factor * detour.factor - std) > kMostStretch * std) detour.factor = 1;
    p = Prepare({mean / detour.factor, std / detour.factor, a / detour.factor, b / detour.factor}, dtype);
    detour.needed = detour.factor != 1;
  } else {
    p = Prepare(fill, dtype);
    detour.needed = NeedsDouble(fill, p.method, dtype);
    if (detour.needed) p = Prepare(fill, Dtype::kFloat64);
  }
  detour.low = RoundUp(a, dtype) + 0.0;
  detour.high = RoundDown(b, dtype) + 0.0;
  p.detour = detour;
  return p;
}

}  // namespace nninit
