#include "kernels/tally.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "test/support.h"
#include "types/widen.h"

namespace nninit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::array<uint64_t, sizeof(Tally) / 8> BitsOf(const Tally& tally) {
  std::array<uint64_t, sizeof(Tally) / 8> bits;
  std::memcpy(bits.data(), &tally, sizeof tally);
  return bits;
}

Tally Empty() {
  Tally tally{};
  tally.min = kInfinity;
  tally.max = -kInfinity;
  return tally;
}

// In long double, one element after another.
template <typename T>
Tally Plainly(const std::vector<T>& elements, const TallyRange& range) {
  Tally tally = Empty();
  long double sum = 0, square = 0;
  for (const T element : elements) {
    const double x = element;
    if (std::isnan(x)) {
      tally.nan += 1;
    } else if (std::isinf(x)) {
      tally.infinite += 1;
    } else {
      if (x == 0) tally.zeros += 1;
      if (x == 0 && range.leave_zeros) continue;
      tally.count += 1;
      sum += static_cast<long double>(x) - range.shift;
      square += (static_cast<long double>(x) - range.shift) * (static_cast<long double>(x) - range.shift);
      tally.min = std::min(tally.min, x);
      tally.max = std::max(tally.max, x);
      const double bin = std::floor((x - range.low) * range.scale + 1);
      tally.bins[static_cast<size_t>(std::min(std::max(bin, 0.0), 63.0))] += 1;
    }
  }
  tally.sum = static_cast<double>(sum);
  tally.square = static_cast<double>(square);
  return tally;
}

template <typename T>
std::vector<T> Elements(size_t count, bool odd) {
  std::vector<T> elements(count);
  uint32_t state = 1;
  for (T& x : elements) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<T>((static_cast<double>(state >> 8) / (1 << 24) - 0.4) * 3);
    if ((state >> 8) % 7 == 0) x = 0;
  }
  if (odd && count > 3000) {
    elements[2500] = std::numeric_limits<T>::quiet_NaN();
    elements[2501] = std::numeric_limits<T>::infinity();
    elements[count - 1] = -std::numeric_limits<T>::infinity();
    elements[1] = static_cast<T>(-0.0);
  }
  return elements;
}

template <typename T>
void Check(Dtype dtype) {
  for (const size_t count : {0, 1, 7, 8, 9, 2047, 2049, 10000}) {
    for (const bool odd : {false, true}) {
      for (const bool leave : {false, true}) {
        const std::vector<T> elements = Elements<T>(count, odd);
        const TallyRange range{0.1, -0.9, 30, leave};
        const Tally expected = Plainly(elements, range);
        Tally first = Empty();
        AddToTally(elements.data(), count, dtype, range, &first);
        CHECK(first.sum == doctest::Approx(expected.sum).epsilon(1e-12));
        CHECK(first.square == doctest::Approx(expected.square).epsilon(1e-12));
        Tally exact = first;
        exact.sum = expected.sum;
        exact.square = expected.square;
        CHECK(BitsOf(exact) == BitsOf(expected));
        test::ForEachTarget([&](const std::string&) {
          Tally tally = Empty();
          AddToTally(elements.data(), count, dtype, range, &tally);
          CHECK(BitsOf(tally) == BitsOf(first));
        });
      }
    }
  }
}

TEST_CASE("a tally counts what there is, with the same bits on every target") {
  Check<float>(Dtype::kFloat32);
  Check<double>(Dtype::kFloat64);
}

TEST_CASE("a tally of 16-bit elements is that of the same numbers in 32") {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
    std::vector<float> wide(all.size());
    for (size_t i = 0; i < all.size(); ++i) wide[i] = WidenOne(all[i], dtype);
    const TallyRange range{0, -1, 20, false};
    Tally narrow = Empty(), other = Empty();
    AddToTally(all.data(), all.size(), dtype, range, &narrow);
    AddToTally(wide.data(), wide.size(), Dtype::kFloat32, range, &other);
    CHECK(BitsOf(narrow) == BitsOf(other));
    CHECK(narrow.nan > 0);
    CHECK(narrow.infinite == 2);
    CHECK(narrow.zeros == 2);
  }
}

}  // namespace
}  // namespace nninit
