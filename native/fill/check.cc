#include "fill/check.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "kernels/elementary.h"
#include "system/float_environment.h"
#include "types/rounding.h"

namespace nninit {
namespace {

// Everything a kernel will be handed must be a number the dtype can hold.
bool InRange(double x, Dtype dtype) { return std::isfinite(x) && std::fabs(x) <= FormatOf(dtype).max; }

std::string CheckStd(double std, Dtype dtype) {
  if (!(InRange(std, dtype) && std >= 0)) return Refusal("std to be finite, fit the dtype and be ≥ 0", std);
  return {};
}

std::string CheckMatrix(uint64_t rows, uint64_t cols, uint64_t stride, const Range& range) {
  if (range.begin != 0) return Refusal("begin to be 0 for a whole-matrix fill", static_cast<double>(range.begin));
  const double count = static_cast<double>(rows) * static_cast<double>(cols) * static_cast<double>(stride);
  if (count != static_cast<double>(range.count)) return Refusal("rows·cols·stride to be the number of elements", count);
  return {};
}

std::string Check(const ConstantFill& fill, const Range& range) {
  if (!std::isfinite(fill.value) || InRange(fill.value, range.dtype)) return {};
  return Refusal("value to fit the dtype", fill.value);
}

std::string Check(const UniformFill& fill, const Range& range) {
  const auto [a, b] = fill;
  if (!InRange(a, range.dtype)) return Refusal("a to be finite and fit the dtype", a);
  if (!InRange(b, range.dtype)) return Refusal("b to be finite and fit the dtype", b);
  if (!(a <= b)) return Refusal("a ≤ b", b);
  if (!InRange(b - a, range.dtype)) return Refusal("b − a to fit the dtype", b - a);
  if (a < b && !(RoundUp(a, range.dtype) <= LargestBelow(b, range.dtype))) {
    return Refusal("[a, b) to hold a value of the dtype", a);
  }
  return {};
}

std::string Check(const NormalFill& fill, const Range& range) {
  if (!InRange(fill.mean, range.dtype)) return Refusal("mean to be finite and fit the dtype", fill.mean);
  return CheckStd(fill.std, range.dtype);
}

std::string Check(const TruncNormalFill& fill, const Range& range) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double x : {fill.mean, fill.std}) {
    if (!InRange(x, range.dtype)) return Refusal("mean and std to be finite and fit the dtype", x);
  }
  if (!(fill.std > 0)) return Refusal("std > 0", fill.std);
  // One bound alone, or none.
  if (!(InRange(fill.a, range.dtype) || fill.a == -kInfinity)) return Refusal("a to fit the dtype or be −∞", fill.a);
  if (!(InRange(fill.b, range.dtype) || fill.b == kInfinity)) return Refusal("b to fit the dtype or be ∞", fill.b);
  if (!(fill.a <= fill.b)) return Refusal("a ≤ b", fill.b);
  if (!(RoundUp(fill.a, range.dtype) <= RoundDown(fill.b, range.dtype))) {
    return Refusal("[a, b] to hold a value of the dtype", fill.a);
  }
  return {};
}

std::string Check(const DiagonalFill& fill, const Range& range) {
  if (fill.count > 1 && fill.step == 0) return Refusal("step ≥ 1 between elements of a diagonal", 0);
  const auto end = static_cast<double>(fill.offset) + static_cast<double>(fill.step) * static_cast<double>(fill.count) +
                   static_cast<double>(fill.groups) * static_cast<double>(fill.group_stride);
  if (end > static_cast<double>(kMaxElements))
    return Refusal("a diagonal within 2^53 elements", static_cast<double>(fill.count));
  // Within 2^53 now: the product is exact. So each element is at most one diagonal's, and none takes long.
  if (fill.groups > 1 && fill.count > 0 && fill.group_stride <= (fill.count - 1) * fill.step) {
    return Refusal("diagonals that end before the next begins, by group_stride",
                   static_cast<double>(fill.group_stride));
  }
  return Check(ConstantFill{fill.value}, range);
}

std::string Check(const OrthogonalFill& fill, const Range& range) {
  if (!InRange(fill.gain, range.dtype)) return Refusal("gain to be finite and fit the dtype", fill.gain);
  if (fill.stride < 1) return Refusal("stride ≥ 1", static_cast<double>(fill.stride));
  if (fill.offset >= fill.stride) return Refusal("offset to be less than stride", static_cast<double>(fill.offset));
  return CheckMatrix(fill.rows, fill.cols, fill.stride, range);
}

std::string Check(const SparseFill& fill, const Range& range) {
  if (fill.zeros > fill.rows) return Refusal("zeros to be at most rows", static_cast<double>(fill.zeros));
  if (fill.rows >> 32 != 0) return Refusal("rows below 2^32", static_cast<double>(fill.rows));
  if (fill.cols >> 32 != 0) return Refusal("cols below 2^32", static_cast<double>(fill.cols));
  const std::string refusal = CheckStd(fill.std, range.dtype);
  return refusal.empty() ? CheckMatrix(fill.rows, fill.cols, 1, range) : refusal;
}

std::string CheckPositive(const char* what, double x, Dtype dtype) {
  return InRange(x, dtype) && x > 0 ? std::string() : Refusal(what, x);
}

std::string Check(const LogOfUniformFill& fill, const Range& range) {
  const std::string refusal = CheckPositive("a to be finite, fit the dtype and be > 0", fill.a, range.dtype);
  return refusal.empty() ? Check(UniformFill{fill.a, fill.b}, range) : refusal;
}

std::string Check(const DtBiasFill& fill, const Range& /*range*/) {
  for (const double x : {fill.min, fill.max}) {
    if (!(x >= 1e-300 && x <= 1e4)) return Refusal("min and max from 1e-300 to 1e4", x);
  }
  if (!(fill.floor >= 0 && fill.floor <= 1e4)) return Refusal("floor from 0 to 1e4", fill.floor);
  return {};
}

std::string Check(const LogArangeFill& fill, const Range& range) {
  if (fill.cols < 1) return Refusal("cols ≥ 1", 0);
  return CheckPositive("start to be finite, fit the dtype and be > 0", fill.start, range.dtype);
}

std::string Check(const SinusoidFill& fill, const Range& range) {
  if (fill.cols < 1 || fill.denominator < 1) return Refusal("cols and denominator ≥ 1", 0);
  if (!(fill.base >= 1 && fill.base <= 1e300)) return Refusal("base from 1 to 1e300", fill.base);
  const uint64_t rows = range.count == 0 ? 0 : (range.begin + range.count - 1) / fill.cols;
  if (static_cast<double>(rows) > kMostAngle) return Refusal("at most 2^20 rows", static_cast<double>(rows));
  return {};
}

}  // namespace

std::string CheckFill(const Fill& fill, const Range& range) {
  const DefaultFloatEnvironment environment;
  if (range.begin > kMaxElements || range.count > kMaxElements - range.begin) {
    return Refusal("begin plus the number of elements to be at most 2^53", static_cast<double>(range.begin));
  }
  return std::visit([&](const auto& kind) { return Check(kind, range); }, fill);
}

std::string Refusal(const char* what, double given) {
  char text[160];
  std::snprintf(text, sizeof text, "expected %s, but received %.17g", what, given);
  return text;
}

}  // namespace nninit
