#include "torch/kernels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "types/rounding.h"
#include "types/widen.h"

namespace nninit {
namespace {

TEST_CASE("values that become a are just those that would be stored as b, for every b of 16 bits") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const float b = WidenOne(static_cast<uint16_t>(bits), dtype);
      if (!std::isfinite(b)) continue;
      const TorchUniform uniform = PrepareTorchUniform({-1, b}, dtype);
      const auto stored_as_b = [&](float x) { return RoundNearest(static_cast<double>(x), dtype) == b; };
      const auto low = static_cast<float>(uniform.wrap_low);
      const auto high = static_cast<float>(uniform.wrap_high);
      CAPTURE(b);
      REQUIRE((stored_as_b(low) && !stored_as_b(std::nextafterf(low, -kInfinity))));
      REQUIRE((stored_as_b(high) && !stored_as_b(std::nextafterf(high, kInfinity))));
    }
  }
}

}  // namespace
}  // namespace nninit
