// The accuracy that math-inl.h states, measured through the fills against the C library in long double.
#include <doctest/doctest.h>

#include <cmath>

#include "kernels/normal_cdf.h"
#include "random/philox.h"
#include "test/support.h"

namespace nninit {
namespace {

// An independent, slow Box-Muller from the raw blocks, by docs/streams.md.
struct Exact {
  long double value, radius;
};

Exact NormalByHand(const Key& key, uint64_t index, Dtype dtype) {
  const uint64_t elements = dtype == Dtype::kFloat64 ? 64 : 128;
  const uint64_t half = elements / 2;
  const uint64_t tile = index / elements;
  const uint64_t e = index % elements % half;
  const bool second = index % elements >= half;
  long double u1, angle;
  bool negative;
  if (dtype == Dtype::kFloat64) {
    const PhiloxBlock block = Philox(key, tile * 32 + e);
    const uint64_t w1 = block.word[0] | (uint64_t{block.word[1]} << 32);
    const uint64_t w2 = block.word[2] | (uint64_t{block.word[3]} << 32);
    u1 = (static_cast<long double>(static_cast<double>(w1 >> 11) + 0.5)) * 0x1p-53L;
    angle = static_cast<long double>((w2 << 1) >> 11) * 0x1p-52L - 1;
    negative = w2 >> 63;
  } else {
    const PhiloxBlock block = Philox(key, tile * 32 + e / 2);
    const uint32_t w1 = block.word[e % 2];
    const uint32_t w2 = block.word[2 + e % 2];
    u1 = static_cast<long double>(static_cast<float>(static_cast<int32_t>(w1 >> 1)) + 0.5f) * 0x1p-31L;
    angle = static_cast<long double>(static_cast<float>(static_cast<int32_t>(w2 << 1))) * 0x1p-31L;
    negative = w2 >> 31;
  }
  const long double theta = angle * (3.14159265358979323846264338327950288L / 2);
  const long double r = std::sqrt(-2 * std::log(u1));
  const long double x = second ? r * std::sin(theta) : r * std::cos(theta);
  return {negative ? -x : x, r};
}

TEST_CASE("normals are Box and Muller's to the stated accuracy") {
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat64}) {
    const Key key{11, 22};
    const size_t count = 200'000;
    const auto values = test::Values(NormalFill{0, 1}, key, dtype, count);
    long double worst = 0;
    for (size_t i = 0; i < count; ++i) {
      const Exact exact = NormalByHand(key, i, dtype);
      const long double error = std::fabs(static_cast<long double>(values[i]) - exact.value) / exact.radius;
      worst = test::Worse(worst, error);
    }
    MESSAGE("largest error, relative to the radius: " << static_cast<double>(worst));
    CHECK(worst < (dtype == Dtype::kFloat32 ? 6e-7L : 8e-16L));
    CHECK(worst > 0);
  }
}

TEST_CASE("the quantile of truncated normals is accurate to 1e-6") {
  const Key key{11, 22};
  const size_t count = 100'000;
  const double a = -2.2, b = 2.1;
  const auto values = test::Values(TruncNormalFill{0, 1, a, b}, key, Dtype::kFloat32, count);
  const auto cdf = [](long double z) { return 0.5L * std::erfc(-z / std::sqrt(2.0L)); };
  long double worst = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t e = i % 128 % 64;
    const PhiloxBlock block = Philox(key, i / 128 * 32 + e / 2);
    const uint32_t word = block.word[(i % 128 >= 64 ? 2 : 0) + e % 2];
    const long double p = cdf(a) + (cdf(b) - cdf(a)) * static_cast<long double>(word) * 0x1p-32L;
    const long double z = static_cast<long double>(values[i]);
    // By the mean value theorem, an error in probability over the density is one in z.
    const long double density = std::exp(-z * z / 2) * 0.3989422804014327L;
    worst = test::Worse(worst, std::fabs(cdf(z) - p) / density / std::max(1.0L, std::fabs(z)));
  }
  MESSAGE("largest error: " << static_cast<double>(worst));
  CHECK(worst < 1.2e-6L);
}

TEST_CASE("exp and the normal distribution function agree with the C library") {
  for (double x = -700; x <= 0; x += 0.137) {
    REQUIRE(std::fabs(Exp(x) / std::exp(x) - 1) < 1e-15);
  }
  for (double x = -8.9; x < 9; x += 0.0137) {
    REQUIRE(std::fabs(NormalCdf(x) - 0.5 * std::erfc(-x / std::sqrt(2.0))) < 3e-15);
  }
}

}  // namespace
}  // namespace nninit
