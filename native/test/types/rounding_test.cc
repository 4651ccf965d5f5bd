#include "types/rounding.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "test/support.h"
#include "types/widen.h"

namespace nninit {
namespace {

// The nearest value with an even last bit, by trying all finite values: slow and independent.
uint16_t NearestByTrial(double x, Dtype dtype) {
  uint16_t best = 0;
  double best_distance = std::numeric_limits<double>::infinity();
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double value = static_cast<double>(WidenOne(static_cast<uint16_t>(bits), dtype));
    if (!std::isfinite(value) || std::signbit(value) != std::signbit(x)) continue;
    const double distance = std::fabs(value - x);
    if (distance < best_distance || (distance == best_distance && bits % 2 == 0)) {
      best = static_cast<uint16_t>(bits);
      best_distance = distance;
    }
  }
  return best;
}

TEST_CASE("every 16-bit value survives widening and storing") {
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const double value = static_cast<double>(WidenOne(static_cast<uint16_t>(bits), dtype));
      if (std::isnan(value)) {
        CHECK(std::isnan(WidenOne(static_cast<uint16_t>(StorageBits(value, dtype)), dtype)));
      } else {
        REQUIRE(StorageBits(value, dtype) == bits);
      }
    }
  }
}

TEST_CASE("storing rounds to nearest even") {
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
    const double samples[] = {0.1,    -0.1,    1.0 / 3,     0.02,       1e-5,        -1e-6,      6e-8,
                              2.9e-8, 2.99e-8, 1 + 0x1p-11, 1 + 0x1p-8, 1 + 0x3p-11, 1 + 0x3p-8, 1000.5,
                              2049,   2051,    65503,       -0.0,       1e-30,       1e-42};
    for (const double x : samples) {
      CAPTURE(x);
      CHECK(StorageBits(x, dtype) == NearestByTrial(x, dtype));
    }
  }
  CHECK(StorageBits(65519.9, Dtype::kFloat16) == 0x7BFF);
  CHECK(StorageBits(65520, Dtype::kFloat16) == 0x7C00);
  CHECK(StorageBits(0.1, Dtype::kFloat32) == 0x3DCCCCCD);
}

TEST_CASE("constants are rounded through the compute type") {
  // Once: up. Through float32, where the last bit is lost: a tie, to even.
  CHECK(StorageBits(1 + 0x1p-11 + 0x1p-30, Dtype::kFloat16) == 0x3C01);
  CHECK(ConstantBits(1 + 0x1p-11 + 0x1p-30, Dtype::kFloat16) == 0x3C00);
  CHECK(ConstantBits(1 + 0x1p-8 + 0x1p-30, Dtype::kBFloat16) == 0x3F80);
  CHECK(ConstantBits(0.1, Dtype::kFloat64) == StorageBits(0.1, Dtype::kFloat64));
}

TEST_CASE("kernels store as plain code does, subnormals included, on every target") {
  // std small enough to reach subnormal halves; the float32 fill gives the values before rounding.
  const Fill fills[] = {NormalFill{0, 1}, NormalFill{0, 3e-6}, NormalFill{0, 2e4}};
  test::ForEachTarget([&](const std::string& target) {
    CAPTURE(target);
    for (const Fill& fill : fills) {
      const auto wide = test::Values(fill, {4, 4}, Dtype::kFloat32, 30000);
      for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
        const auto bytes = test::Run(fill, {4, 4}, dtype, wide.size());
        for (size_t i = 0; i < wide.size(); ++i) {
          uint16_t bits;
          std::memcpy(&bits, bytes.data() + 2 * i, 2);
          REQUIRE(bits == StorageBits(wide[i], dtype));
        }
      }
    }
  });
}

TEST_CASE("bounds round inwards") {
  CHECK(RoundUp(0.1, Dtype::kBFloat16) == 0.10009765625);
  CHECK(RoundDown(0.1, Dtype::kBFloat16) == 0.099609375);
  CHECK(RoundUp(0.5, Dtype::kBFloat16) == 0.5);
  CHECK(LargestBelow(1, Dtype::kBFloat16) == 1 - 0x1p-8);
  CHECK(LargestBelow(1, Dtype::kFloat16) == 1 - 0x1p-11);
  CHECK(LargestBelow(1, Dtype::kFloat32) == 1 - 0x1p-24);
  CHECK(LargestBelow(1, Dtype::kFloat64) == 1 - 0x1p-53);
  CHECK(LargestBelow(0, Dtype::kFloat16) == -0x1p-24);
  CHECK(LargestBelow(-1, Dtype::kFloat16) == -1 - 0x1p-10);
  CHECK(RoundUp(70000, Dtype::kFloat16) == std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace nninit
