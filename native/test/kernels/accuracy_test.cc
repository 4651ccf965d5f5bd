// What docs/accuracy.md states is true, as far as a quick look can tell: scripts/accuracy takes the long one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

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
  for (size_t i = 0; i < in.size(); ++i) most = std::max(most, test::ErrorUlps(stated.function, in[i], out[i]));
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

}  // namespace
}  // namespace nninit
