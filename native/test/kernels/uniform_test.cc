// Clamps that a uniform fill does without.
#include "kernels/uniform.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "test/support.h"

namespace nninit {
namespace {

constexpr Dtype kWide[] = {Dtype::kFloat32, Dtype::kFloat64};

// k·scale + a in the type that the kernel computes in, before any clamp.
double Unclamped(const UniformParams& p, double k, Dtype dtype) {
  if (dtype == Dtype::kFloat64) return k * p.scale + p.a;
  const float product = static_cast<float>(k) * static_cast<float>(p.scale);
  return static_cast<double>(product + static_cast<float>(p.a));
}

TEST_CASE("bounds are left out only where no value needs them") {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit(-1, 1);
  int left_out[2] = {};
  int needed[2] = {};
  for (int i = 0; i < 200000; ++i) {
    const int type = i % 2;
    const Dtype dtype = kWide[type];
    const double a = std::ldexp(unit(random), static_cast<int>(random() % 40) - 20);
    const double width = std::ldexp(std::abs(unit(random)), static_cast<int>(random() % 40) - 30);
    const double b = i % 5 == 0 ? -a : a + width;
    if (a == b) continue;
    const UniformParams p = PrepareUniform({std::min(a, b), std::max(a, b)}, dtype);
    ++(p.inside ? left_out[type] : needed[type]);
    if (!p.inside) continue;
    const double k_max = dtype == Dtype::kFloat64 ? 0x1p53 - 1 : 0x1p24 - 1;
    REQUIRE(Unclamped(p, 0, dtype) >= p.low);
    REQUIRE(Unclamped(p, k_max, dtype) <= p.high);
  }
  for (int i = 0; i < 2; ++i) {
    CHECK(left_out[i] > 1000);
    CHECK(needed[i] > 1000);
  }
}

TEST_CASE("the same bytes with and without the bounds that are left out, on every target") {
  const double ends[][2] = {{0, 1}, {-1, 1}, {-0.02, 0.02}, {0.5, 0.50001}, {-3e38, 3e38}, {1e-40, 3e-39}};
  constexpr size_t kCount = 1 << 14;
  for (const Dtype dtype : kWide) {
    for (const auto& end : ends) {
      CAPTURE(static_cast<int>(dtype));
      CAPTURE(end[0]);
      const UniformParams as_prepared = PrepareUniform({end[0], end[1]}, dtype);
      UniformParams bounded = as_prepared;
      bounded.inside = false;
      const auto bytes = [&](const UniformParams& p) {
        std::vector<uint8_t> to(kCount * DtypeBytes(dtype));
        UniformRange(p, Key{7, 9}, Range{to.data(), dtype, 0, kCount});
        return to;
      };
      test::ForEachTarget([&](const std::string& target) {
        CAPTURE(target);
        REQUIRE((bytes(as_prepared) == bytes(bounded)));
      });
    }
  }
}

}  // namespace
}  // namespace nninit
