// exp, logarithm, sine and cosine, and the fills made of them, against the C library in long double.
#include "kernels/elementary.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "test/support.h"

namespace nninit {
namespace {

// The largest error of f over count arguments from low to high, relative to max(|exact|, least).
template <class F, class Exact>
double Worst(double low, double high, double least, const F& f, const Exact& exact) {
  constexpr int kCount = 100'000;
  long double worst = 0;
  for (int i = 0; i <= kCount; ++i) {
    const double x = low + (high - low) * i / kCount;
    const long double expected = exact(static_cast<long double>(x));
    const long double scale = std::max(std::fabs(expected), static_cast<long double>(least));
    worst = test::Worse(worst, std::fabs(static_cast<long double>(f(x)) - expected) / scale);
  }
  return static_cast<double>(worst);
}

TEST_CASE("elementary functions have the stated accuracy") {
  const auto log = [](long double x) { return std::log(x); };
  CHECK(Worst(-700, 700, 0, Exp, [](long double x) { return std::exp(x); }) < 4.5e-16);
  CHECK(Worst(0.5, 2, 0, Log, log) < 4.5e-16);
  CHECK(Worst(1e-300, 1e300, 0, Log, log) < 4.5e-16);
  CHECK(Log(1) == 0);
  CHECK(Log(0x1p-1074) == doctest::Approx(-744.4400719213812));
  const auto falling = [](long double x) { return -std::expm1(-x); };
  CHECK(Worst(1e-12, 0.375, 0, OneMinusExpOfNegative, falling) < 8.9e-16);
  CHECK(Worst(0.375, 50, 0, OneMinusExpOfNegative, falling) < 8.9e-16);
  for (const double high : {3.0, 1000.0, kMostAngle}) {
    const auto sine = [](double x) { return SinCos(x, false); };
    const auto cosine = [](double x) { return SinCos(x, true); };
    CHECK(Worst(-high, high, 1, sine, [](long double x) { return std::sin(x); }) < 2.3e-16);
    CHECK(Worst(-high, high, 1, cosine, [](long double x) { return std::cos(x); }) < 2.3e-16);
  }
}

TEST_CASE("tables have their formulas' values, wherever they begin") {
  const uint64_t cols = 10;
  const size_t count = 1234;
  for (const bool interleaved : {false, true}) {
    const auto values = test::Values(SinusoidFill{cols, 100, 8, interleaved}, {}, Dtype::kFloat64, count, 17);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t row = (i + 17) / cols;
      const uint64_t column = (i + 17) % cols;
      const uint64_t pair = interleaved ? column / 2 : column % 5;
      const double angle = static_cast<double>(row) * std::pow(100.0, -2.0 * static_cast<double>(pair) / 8);
      const bool cosine = interleaved ? column % 2 == 1 : column >= 5;
      CHECK(std::fabs(values[i] - (cosine ? std::cos(angle) : std::sin(angle))) <
            1e-15 * (1 + static_cast<double>(row)));
    }
  }
  const auto logs = test::Values(LogArangeFill{2.5, cols}, {}, Dtype::kFloat64, count, 3);
  for (size_t i = 0; i < count; ++i) {
    CHECK(logs[i] == doctest::Approx(std::log(2.5 + static_cast<double>((i + 3) % cols))).epsilon(1e-15));
  }
}

TEST_CASE("transformed uniforms are functions of the float64 uniforms of their key") {
  const Key key{5, 6};
  const auto uniforms = test::Values(UniformFill{0, 1}, key, Dtype::kFloat64, 1000, 9);
  const auto biases = test::Values(DtBiasFill{0.001, 0.1, 0.002}, key, Dtype::kFloat64, 1000, 9);
  const auto logs = test::Values(LogOfUniformFill{1, 2}, key, Dtype::kFloat64, 1000, 9);
  for (size_t i = 0; i < 1000; ++i) {
    const double dt = std::max(0.002, 0.001 * std::pow(100, uniforms[i]));
    CHECK(std::log1p(std::exp(biases[i])) == doctest::Approx(dt).epsilon(1e-13));
    CHECK(logs[i] == doctest::Approx(std::log1p(uniforms[i])).epsilon(1e-13));
  }
  for (const double x : test::Values(LogOfUniformFill{4, 4}, key, Dtype::kFloat64, 9)) CHECK(x == Log(4));
}

}  // namespace
}  // namespace nninit
