// What docs/accuracy.md states is true, as far as a quick look can tell: scripts/accuracy takes the long one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "test/accuracy/functions.h"
#include "test/support.h"

namespace nninit {
namespace {

using test::kStated;
using test::Stated;

template <class T>
double Largest(const Stated& stated, const std::vector<T>& in) {
  std::vector<T> out(in.size());
  test::Evaluate(stated.function, in.data(), in.size(), out.data());
  double most = 0;
  for (size_t i = 0; i < in.size(); ++i) most = test::Worse(most, test::ErrorUlps(stated.function, in[i], out[i]));
  return most;
}

template <class T>
void CheckStated(const Stated& stated) {
  // Spread evenly and by binades.
  constexpr size_t kCount = 40000;
  std::vector<T> in(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    const double u = static_cast<double>(i) / kCount;
    const double x = i % 2 == 0 ? stated.first + u * (stated.last - stated.first)
                                : stated.first * std::pow(stated.last / stated.first, u);
    in[i] = static_cast<T>(std::clamp(x, stated.first, stated.last));
  }
  const double largest = Largest(stated, in);
  CHECK(largest <= stated.ulps);
  CHECK(largest > stated.ulps / 3);
  CHECK(Largest(stated, std::vector<T>(16, static_cast<T>(stated.at))) == doctest::Approx(stated.ulps).epsilon(1e-3));
}

TEST_CASE("the stated errors are there where they are said to be, and none of a sample is larger, on every target") {
  test::ForEachTarget([&](const std::string& target) {
    CAPTURE(target);
    for (const Stated& stated : kStated) {
      CAPTURE(&stated - kStated);
      if (stated.wide) {
        CheckStated<double>(stated);
      } else {
        CheckStated<float>(stated);
      }
    }
  });
}

TEST_CASE("what is no number is the largest error of all") {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(test::Worse(1.0, kNaN)));
  CHECK(std::isnan(test::Worse(kNaN, 1.0)));
  CHECK(test::Worse(1.0, 2.0) == 2);
  CHECK(test::Worse(2.0, 1.0) == 2);
  for (const Stated& stated : kStated) {
    CAPTURE(&stated - kStated);
    if (stated.wide) {
      CHECK(std::isinf(test::ErrorUlps(stated.function, stated.at, kNaN)));
    } else {
      const auto at = static_cast<float>(stated.at);
      CHECK(std::isinf(test::ErrorUlps(stated.function, at, std::numeric_limits<float>::quiet_NaN())));
    }
  }
}

}  // namespace
}  // namespace nninit
