// Every legal argument has its distribution: parameters over the whole range of each dtype, held to probabilities found
// by another method (long double, erfc and its logarithm, no rejection).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "test/support.h"
#include "types/rounding.h"

namespace nninit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
using Real = long double;

// ---- the reference

// ln P(Z > z).
Real LogTail(Real z) {
  if (z < 5) return std::log(std::erfc(z / std::sqrt(Real{2})) / 2);
  if (std::isinf(z)) return -std::numeric_limits<Real>::infinity();
  // Laplace's continued fraction of Mills' ratio.
  Real fraction = z;
  for (int k = 100; k > 0; --k) fraction = z + static_cast<Real>(k) / fraction;
  return -z * z / 2 - std::log(fraction * std::sqrt(2 * std::acos(Real{-1})));
}

// P(Z > low + t | Z > low) for low ≥ 0, where z² of both would cancel.
Real TailBeyond(Real low, Real t) {
  if (std::isinf(t)) return 0;
  if (low < 5) return std::exp(LogTail(low + t) - LogTail(low));
  const auto mills = [](Real z) {
    Real fraction = z;
    for (int k = 100; k > 0; --k) fraction = z + static_cast<Real>(k) / fraction;
    return 1 / fraction;
  };
  return std::exp(-t * (low + t / 2)) * mills(low + t) / mills(low);
}

// P(X ≤ x) for the real-valued X of a fill.
Real Cdf(const UniformFill& f, Real x) {
  const Real a = f.a, b = f.b;
  return std::clamp((x - a) / (b - a), Real{0}, Real{1});
}

Real Cdf(const NormalFill& f, Real x) {
  const Real z = (x - static_cast<Real>(f.mean)) / static_cast<Real>(f.std);
  return std::erfc(-z / std::sqrt(Real{2})) / 2;
}

// For an interval above the mean, in distances from its lower bound.
Real UpperCdf(const TruncNormalFill& f, Real x) {
  const Real mean = f.mean, std = f.std, a = f.a, b = f.b;
  const Real low = (a - mean) / std;
  const Real t = (x - a) / std, width = (b - a) / std;
  // Over a short piece of the tail the density hardly changes.
  if (low * width < 1e-4L && width < 1e-4L) return t / width;
  return (1 - TailBeyond(low, t)) / (1 - TailBeyond(low, width));
}

Real Cdf(const TruncNormalFill& f, Real x) {
  const Real mean = f.mean, std = f.std, a = f.a, b = f.b;
  if (x <= a) return 0;
  if (x >= b) return 1;
  if (a - mean >= 0) return UpperCdf(f, x);
  if (b - mean <= 0) return 1 - UpperCdf({-f.mean, f.std, -f.b, -f.a}, -x);
  if ((b - a) / std < 1e-4L) return (x - a) / (b - a);
  const auto phi = [&](Real y) { return std::erfc(-(y - mean) / std / std::sqrt(Real{2})) / 2; };
  return (phi(x) - phi(a)) / (phi(b) - phi(a));
}

double Low(const UniformFill& f, Dtype dtype) { return f.a == f.b ? RoundNearest(f.a, dtype) : RoundUp(f.a, dtype); }
double High(const UniformFill& f, Dtype dtype) {
  return f.a == f.b ? RoundNearest(f.b, dtype) : LargestBelow(f.b, dtype);
}
double Low(const NormalFill& /*f*/, Dtype /*dtype*/) { return -kInf; }
double High(const NormalFill& /*f*/, Dtype /*dtype*/) { return kInf; }
double Low(const TruncNormalFill& f, Dtype dtype) { return RoundUp(f.a, dtype); }
double High(const TruncNormalFill& f, Dtype dtype) { return RoundDown(f.b, dtype); }

double Above(double x, Dtype dtype) { return RoundUp(std::nextafter(x, kInf), dtype); }

// P(the element ≤ x): the real number is put into [low, high] and rounded to nearest, so everything up to half way to
// the next value counts.
template <class F>
Real StoredCdf(const F& fill, Dtype dtype, double x) {
  if (x >= High(fill, dtype)) return 1;
  if (x < Low(fill, dtype)) return 0;
  // From half a spacing beyond the largest number on it is infinite.
  const double max = FormatOf(dtype).max;
  const Real beyond = static_cast<Real>(max) + static_cast<Real>(Spacing(max, dtype)) / 2;
  if (std::isinf(x)) return Cdf(fill, -beyond);
  const double next = Above(x, dtype);
  if (std::isinf(next)) return Cdf(fill, beyond);
  return Cdf(fill, (static_cast<Real>(x) + static_cast<Real>(next)) / 2);
}

// Kolmogorov and Smirnov's λ of elements against the reference, at both sides of each step.
template <class F>
double Lambda(const F& fill, Dtype dtype, std::vector<double> values) {
  // What is no number has no place among others.
  if (std::any_of(values.begin(), values.end(), [](double x) { return std::isnan(x); })) return kInf;
  std::sort(values.begin(), values.end());
  const auto n = static_cast<Real>(values.size());
  Real most = 0;
  for (size_t i = 0; i < values.size();) {
    size_t end = i;
    while (end < values.size() && values[end] == values[i]) ++end;
    const Real before = values[i] == -kInf ? 0 : StoredCdf(fill, dtype, -Above(-values[i], dtype));
    most = test::Worse(most, std::fabs(StoredCdf(fill, dtype, values[i]) - static_cast<Real>(end) / n));
    most = test::Worse(most, std::fabs(before - static_cast<Real>(i) / n));
    i = end;
  }
  const double root = std::sqrt(static_cast<double>(values.size()));
  return static_cast<double>(most) * (root + 0.12 + 0.11 / root);
}

// ---- arguments

// Beyond with probability 2·exp(−2·4²) = 2.5e-14 for each of the few thousand comparisons; seeds are fixed.
constexpr double kLimit = 4;
constexpr size_t kCount = 1 << 13;

// Numbers of every size that the dtype has, down to below its least.
class Arguments {
 public:
  explicit Arguments(Dtype dtype) : dtype_(dtype), random_(static_cast<uint32_t>(dtype) + 1) {}

  double Size() {
    const Format format = FormatOf(dtype_);
    const double least = std::max(format.min_exponent - format.precision - 3, -1073);
    const double exponent = least + Unit() * (std::log2(format.max) - least);
    const double x = std::exp2(exponent);
    // Some are values of the dtype, most are not.
    return std::min(Coin(3) ? std::fabs(RoundNearest(x, dtype_)) : x, format.max);
  }
  double Any() { return Coin(4) ? 0 : Coin(2) ? Size() : -Size(); }
  // Around x: next to it, a few of the dtype's values off, or anywhere.
  double Near(double x) {
    const double spacing = Spacing(std::isfinite(x) ? x : 0, dtype_);
    const double off = Coin(3) ? Unit() * 6 * spacing : Coin(2) ? Size() : std::fabs(x) * std::exp2(-40 * Unit());
    return std::clamp(x + (Coin(2) ? off : -off), -FormatOf(dtype_).max, FormatOf(dtype_).max);
  }
  bool Coin(int sides) { return random_() % static_cast<uint32_t>(sides) == 0; }
  double Unit() { return static_cast<double>(random_()) * 0x1p-32; }

 private:
  Dtype dtype_;
  std::mt19937 random_;
};

template <class F, class Make>
void CheckAll(int tries, const Make& make) {
  for (const Dtype dtype : test::kAllDtypes) {
    Arguments arguments(dtype);
    int legal = 0;
    for (int i = 0; i < tries; ++i) {
      const F fill = make(&arguments);
      const Range range{nullptr, dtype, 0, kCount};
      if (!CheckFill(fill, range).empty()) continue;
      ++legal;
      const auto values = test::Values(fill, {static_cast<uint64_t>(i), 7}, dtype, kCount);
      const double lambda = Lambda(fill, dtype, values);
      if (lambda > kLimit) {
        char text[200];
        if constexpr (std::is_same_v<F, TruncNormalFill>) {
          std::snprintf(text, sizeof text, "{%.17g, %.17g, %.17g, %.17g}", fill.mean, fill.std, fill.a, fill.b);
        } else if constexpr (std::is_same_v<F, NormalFill>) {
          std::snprintf(text, sizeof text, "{%.17g, %.17g}", fill.mean, fill.std);
        } else {
          std::snprintf(text, sizeof text, "{%.17g, %.17g}", fill.a, fill.b);
        }
        FAIL_CHECK("dtype " << static_cast<int>(dtype) << ", " << text << ": λ = " << lambda);
      }
    }
    CHECK(legal > tries / 4);
  }
}

TEST_CASE("uniforms have their distribution over the whole range of each dtype") {
  CheckAll<UniformFill>(120, [](Arguments* any) {
    const double a = any->Any();
    const double b = any->Near(a);
    return a < b ? UniformFill{a, b} : UniformFill{b, a};
  });
}

TEST_CASE("normals have their distribution over the whole range of each dtype") {
  CheckAll<NormalFill>(120, [](Arguments* any) {
    const double mean = any->Any();
    const double off = std::fabs(any->Near(mean) - mean);
    return NormalFill{mean, off > 0 ? off : any->Size()};
  });
}

TEST_CASE("truncated normals have their distribution over the whole range of each dtype") {
  CheckAll<TruncNormalFill>(360, [](Arguments* any) {
    const double mean = any->Any();
    const double std = any->Coin(2) ? any->Size() : std::max(std::fabs(any->Near(mean) - mean), 1e-300);
    // In standard deviations, anywhere, or next to each other.
    const auto place = [&] { return any->Coin(3) ? any->Any() : mean + std * (any->Unit() - 0.5) * 20; };
    const double a = any->Coin(8) ? -kInf : place();
    const double b = any->Coin(8) ? kInf : any->Coin(3) && std::isfinite(a) ? any->Near(a) : place();
    return a < b ? TruncNormalFill{mean, std, a, b} : TruncNormalFill{mean, std, b, a};
  });
}

TEST_CASE("what went wrong once: subnormal widths, and intervals far from the mean") {
  const auto lambda = [](const auto& fill, Dtype dtype) {
    return Lambda(fill, dtype, test::Values(fill, {1, 2}, dtype, 1 << 16));
  };
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat64, Dtype::kBFloat16}) {
    CAPTURE(static_cast<int>(dtype));
    for (const double b : {1e-37, 1e-38, 3e-41, 1e-44}) CHECK(lambda(UniformFill{0, b}, dtype) < kLimit);
    for (const double std : {1e-38, 1e-41, 1e-45, 7e-46}) {
      CHECK(lambda(NormalFill{0, std}, dtype) < kLimit);
      CHECK(lambda(TruncNormalFill{0, std, -2 * std, 2 * std}, dtype) < kLimit);
      CHECK(lambda(TruncNormalFill{0, std, -3 * std, 3 * std}, dtype) < kLimit);
    }
  }
  CHECK(lambda(UniformFill{0, 1e-320}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(UniformFill{-3e-311, 1e-310}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(TruncNormalFill{-1, 1e-8, 0, 1e-16}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(TruncNormalFill{1, 1e-8, -1e-16, 0}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(TruncNormalFill{-1, 1e-8, 0, kInf}, Dtype::kFloat32) < kLimit);
  CHECK(lambda(TruncNormalFill{0, 1e300, 0, 1e-300}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(TruncNormalFill{1.7e308, 1e308, -1.7e308, -1e308}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(NormalFill{-1.7e308, 1.7e308}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(TruncNormalFill{0, 5e-324, 0, 1e308}, Dtype::kFloat64) < kLimit);
  CHECK(lambda(TruncNormalFill{0, 1e-322, -1e-322, 1.7e308}, Dtype::kFloat64) < kLimit);
  const auto same = [](const TruncNormalFill& fill, double value) {
    const auto values = test::Values(fill, {1, 2}, Dtype::kFloat64, 1000);
    return std::count(values.begin(), values.end(), value) == 1000;
  };
  CHECK(same({0, 1e-310, 1, 2}, 1));
  CHECK(same({0, 1e-310, -2, -1}, -1));
  CHECK(same({0, 1e-300, 1e300, kInf}, 1e300));
  CHECK(same({0, 5e-324, 1, 1e308}, 1));
  CHECK(same({0, 1e-323, -1.7e308, -1e308}, -1e308));
  CHECK(same({1e308, 5e-324, 1e308, kInf}, 1e308));
  CHECK(same({1.7e308, 5e-324, -1.7e308, 1.6e308}, 1.6e308));
  CHECK(same({0, 1, 1e9, 1e9}, 1e9));
}

}  // namespace
}  // namespace nninit
