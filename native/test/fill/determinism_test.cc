// Identical bytes on every target, for every thread count and every way to cut a fill.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "test/support.h"

namespace nninit {
namespace {

using test::kAllDtypes;
using test::Run;

const Fill kElementwise[] = {
    ConstantFill{0.1},
    UniformFill{0, 1},
    UniformFill{-0.3, 0.7},
    NormalFill{0, 1},
    NormalFill{-3, 0.02},
    NormalFill{0, 2e-38},               // half of it subnormal
    TruncNormalFill{0, 1, -2, 2},       // quantile (float64: redrawn normal)
    TruncNormalFill{0, 1, -3, 2.5},     // redrawn normal
    TruncNormalFill{0, 1, 0.9, 1.1},    // quantile, or uniform candidates for float64
    TruncNormalFill{0, 1, 0.9, 0.905},  // uniform candidates
    TruncNormalFill{0, 1, -9, -4},      // exponential candidates, mirrored
    DiagonalFill{1, 3, 65, 100, 7, 6501},
    LogOfUniformFill{0.01, 16},
    DtBiasFill{0.001, 0.1, 0.0001},
    LogArangeFill{1, 77},
    SinusoidFill{70, 10000, 68, false},
};

const Fill kWhole[] = {
    OrthogonalFill{67, 67, 1, 1, 0}, OrthogonalFill{150, 70, 1.5, 1, 0}, OrthogonalFill{70, 150, 1, 1, 0},
    OrthogonalFill{30, 20, 1, 9, 4}, SparseFill{100, 130, 10, 0.01},     SparseFill{7, 3, 7, 1},
};

TEST_CASE("every target writes the same bytes") {
  const Key key{0x9e3779b97f4a7c15, 5};
  for (const Dtype dtype : kAllDtypes) {
    CAPTURE(static_cast<int>(dtype));
    for (const Fill& fill : kElementwise) {
      CAPTURE(&fill - kElementwise);
      const size_t count = 70001;
      const auto expected = Run(fill, key, dtype, count, 3);
      test::ForEachTarget([&](const std::string& target) {
        CAPTURE(target);
        REQUIRE((Run(fill, key, dtype, count, 3) == expected));
      });
    }
    for (const Fill& fill : kWhole) {
      CAPTURE(&fill - kWhole);
      const auto expected = Run(fill, key, dtype, test::MatrixElements(fill));
      test::ForEachTarget([&](const std::string& target) {
        CAPTURE(target);
        REQUIRE((Run(fill, key, dtype, test::MatrixElements(fill)) == expected));
      });
    }
  }
}

TEST_CASE("what lies beyond the largest float32 is infinite, where no bound keeps it, on every target") {
  const double most = static_cast<double>(std::numeric_limits<float>::max());
  const Fill fill = TruncNormalFill{most / 2, most / 4, 0.8 * most, std::numeric_limits<double>::infinity()};
  const auto expected = test::Values(fill, {1, 2}, Dtype::kFloat32, 1000);
  CHECK(std::count(expected.begin(), expected.end(), std::numeric_limits<double>::infinity()) > 100);
  test::ForEachTarget([&](const std::string& target) {
    CAPTURE(target);
    CHECK((test::Values(fill, {1, 2}, Dtype::kFloat32, 1000) == expected));
  });
}

TEST_CASE("a zero that lies on a bound has the bound's sign on every target") {
  // The word of this element is one of the 240 or so, of 2^32, from which the bound itself follows.
  constexpr uint64_t kZero = 18381090;
  test::ForEachTarget([&](const std::string& target) {
    CAPTURE(target);
    for (const double a : {-0.0, 0.0}) {
      const double x = test::Values(TruncNormalFill{0, 1, a, 0.0105}, {3, 0}, Dtype::kFloat32, 1, kZero)[0];
      CHECK(x == 0);
      CHECK(std::signbit(x) == std::signbit(a));
    }
  });
}

TEST_CASE("every thread count writes the same bytes") {
  const Key key{1, 2};
  for (const Dtype dtype : kAllDtypes) {
    for (const Fill& fill : kElementwise) {
      const size_t count = 600'011;
      const auto expected = Run(fill, key, dtype, count, 77);
      for (const int threads : {2, 3, 8}) REQUIRE((Run(fill, key, dtype, count, 77, threads) == expected));
    }
    const Fill large[] = {OrthogonalFill{300, 300, 1, 1, 0}, SparseFill{700, 500, 70, 1}};
    for (const Fill& fill : large) {
      const auto expected = Run(fill, key, dtype, test::MatrixElements(fill));
      for (const int threads : {2, 3, 8})
        REQUIRE((Run(fill, key, dtype, test::MatrixElements(fill), 0, threads) == expected));
    }
  }
}

TEST_CASE("a fill can be cut anywhere, and begins like a shorter one") {
  std::mt19937 random(7);
  const Key key{42, 0};
  for (const Dtype dtype : kAllDtypes) {
    const size_t bytes = DtypeBytes(dtype);
    for (const Fill& fill : kElementwise) {
      const size_t count = 5000;
      const auto whole = Run(fill, key, dtype, count);
      for (int trial = 0; trial < 40; ++trial) {
        const size_t begin = random() % count;
        const size_t length = random() % (count - begin + 1);
        const auto part = Run(fill, key, dtype, length, begin);
        REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<ptrdiff_t>(begin * bytes)));
      }
    }
  }
}

TEST_CASE("indices far beyond 2^32 are their own") {
  for (const Dtype dtype : kAllDtypes) {
    const NormalFill fill{0, 1};
    const uint64_t far = (uint64_t{1} << 34) - 100;  // crosses the counter's carry
    const auto whole = Run(fill, {1, 1}, dtype, 1000, far);
    const auto part = Run(fill, {1, 1}, dtype, 500, far + 123);
    const size_t bytes = DtypeBytes(dtype);
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<ptrdiff_t>(123 * bytes)));
    CHECK((whole != Run(fill, {1, 1}, dtype, 1000, 0)));
    CHECK((whole != Run(fill, {1, 1}, dtype, 1000, far - (uint64_t{1} << 34) + 200)));
  }
}

TEST_CASE("memory need not be aligned to vectors") {
  const UniformFill fill{0, 1};
  const auto expected = Run(fill, {3, 3}, Dtype::kFloat32, 1000);
  std::vector<float> memory(1100);
  for (size_t offset = 0; offset < 32; ++offset) {
    RunFill(fill, {3, 3}, {memory.data() + offset, Dtype::kFloat32, 0, 1000}, 1);
    REQUIRE(std::memcmp(memory.data() + offset, expected.data(), expected.size()) == 0);
  }
}

TEST_CASE("constants larger than the caches reach every element and no other, aligned or not") {
  const size_t count = (size_t{40} << 20) / sizeof(float) + 5;
  std::vector<float> memory(count + 40);
  for (const size_t offset : {1u, 16u, 29u}) {
    std::fill(memory.begin(), memory.end(), 7.0f);
    RunFill(ConstantFill{0.5}, {}, {memory.data() + offset, Dtype::kFloat32, 0, count}, 2);
    const auto begin = memory.begin() + static_cast<ptrdiff_t>(offset);
    const auto end = begin + static_cast<ptrdiff_t>(count);
    CHECK(std::count(memory.begin(), begin, 7.0f) == static_cast<ptrdiff_t>(offset));
    CHECK(std::count(begin, end, 0.5f) == static_cast<ptrdiff_t>(count));
    CHECK(std::count(end, memory.end(), 7.0f) == memory.end() - end);
  }
}

TEST_CASE("written around the caches, fills have the same bytes and touch no others, aligned or not, on every target") {
  constexpr size_t kGuard = 128;
  const Fill fills[] = {UniformFill{-1, 2}, NormalFill{0, 1}, TruncNormalFill{0, 1, -2, 2}};
  for (const Dtype dtype : kAllDtypes) {
    CAPTURE(static_cast<int>(dtype));
    const size_t bytes = DtypeBytes(dtype);
    for (const Fill& fill : fills) {
      for (const size_t count : {1u, 127u, 128u, 129u, 700u, 40000u}) {
        CAPTURE(count);
        for (const uint64_t begin : {0u, 5u, 128u}) {
          CAPTURE(begin);
          const auto expected = Run(fill, {3, 3}, dtype, count, begin);
          test::ForEachTarget([&](const std::string& target) {
            CAPTURE(target);
            // Every place within a line for the smallest fills, some for others.
            for (size_t offset = 0; offset < 64; offset += count < 200 ? bytes : 16) {
              std::vector<uint8_t> memory(kGuard + offset + expected.size() + kGuard, 0xA5);
              uint8_t* at = memory.data() + kGuard + offset;
              RunFill(fill, {3, 3}, {at, dtype, begin, count, 8}, 2);
              REQUIRE(std::memcmp(at, expected.data(), expected.size()) == 0);
              const auto others =
                  std::count(memory.data(), at, 0xA5) + std::count(at + expected.size(), &memory.back() + 1, 0xA5);
              REQUIRE(static_cast<size_t>(others) == 2 * kGuard + offset);
            }
          });
        }
      }
    }
  }
}

TEST_CASE("seed and stream matter in all their bits") {
  const UniformFill fill{0, 1};
  const auto base = Run(fill, {0, 0}, Dtype::kFloat32, 64);
  for (int bit = 0; bit < 64; ++bit) {
    CHECK((Run(fill, {uint64_t{1} << bit, 0}, Dtype::kFloat32, 64) != base));
    CHECK((Run(fill, {0, uint64_t{1} << bit}, Dtype::kFloat32, 64) != base));
  }
}

TEST_CASE("16-bit normals and uniforms are the float32 values, rounded") {
  for (const Fill& fill : {Fill(NormalFill{0, 1}), Fill(UniformFill{-1, 1})}) {
    const auto wide = test::Values(fill, {9, 9}, Dtype::kFloat32, 20000);
    for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
      const auto narrow = test::Values(fill, {9, 9}, dtype, 20000);
      const double step = dtype == Dtype::kFloat16 ? 0x1p-11 : 0x1p-8;
      for (size_t i = 0; i < wide.size(); ++i) {
        // One whole step is what the clamp below b = 1 may add to half a step of rounding.
        REQUIRE(std::abs(narrow[i] - wide[i]) <= step * std::abs(wide[i]) + 0x1p-25);
      }
    }
  }
}

}  // namespace
}  // namespace nninit
