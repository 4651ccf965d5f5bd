// Rectangular parts have the bytes of the whole, however they are cut, and nothing passes that reaches beyond.
#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "fill/check.h"
#include "fill/runs.h"
#include "test/support.h"

namespace nninit {
namespace {

using test::kAllDtypes;

std::vector<uint8_t> RunPart(const Fill& fill, const Key& key, const Runs& runs, Dtype dtype, uint64_t begin,
                             size_t count, int threads) {
  std::vector<uint8_t> bytes(count * DtypeBytes(dtype) + 1, 0xA5);  // one guard byte
  const Range part{bytes.data(), dtype, begin, count};
  REQUIRE(CheckRuns(runs, part) == "");
  REQUIRE(FillRuns(As<ElementwiseFill>(fill).value(), key, runs, part, threads));
  REQUIRE(bytes.back() == 0xA5);
  bytes.pop_back();
  return bytes;
}

// Elements [begin, begin + count) of the runs, copied one by one from the whole fill's bytes.
std::vector<uint8_t> Expected(const std::vector<uint8_t>& whole, const Runs& runs, Dtype dtype, uint64_t begin,
                              size_t count) {
  const size_t size = DtypeBytes(dtype);
  std::vector<uint8_t> bytes(count * size);
  for (size_t i = 0; i < count; ++i) {
    uint64_t run = (begin + i) / runs.length;
    uint64_t element = runs.offset + (begin + i) % runs.length;
    for (int k = runs.loops - 1; k >= 0; --k) {
      element += run % runs.count[k] * runs.stride[k];
      run /= runs.count[k];
    }
    std::memcpy(bytes.data() + i * size, whole.data() + element * size, size);
  }
  return bytes;
}

TEST_CASE("parts of runs have the bytes of the whole") {
  const Key key{42, uint64_t{1} << 63};
  const Fill fills[] = {ConstantFill{0.1},
                        UniformFill{-0.3, 0.7},
                        UniformFill{2, 2},
                        NormalFill{0, 0.02},
                        TruncNormalFill{0, 1, -2, 2},
                        TruncNormalFill{0, 1, 3, 4},
                        DiagonalFill{1, 3, 65, 900, 1, 0}};
  const Runs shapes[] = {
      {0, 60000, 0, {}, {}},                     // one run
      {77, 1, 1, {900}, {64}},                   // single elements, some to a tile
      {5, 1, 1, {100}, {600}},                   // single elements, far apart
      {3, 7, 1, {5000}, {12}},                   // near
      {128, 512, 1, {100}, {600}},               // whole tiles
      {100, 300, 1, {120}, {500}},               // ends in tiles
      {0, 20, 2, {30, 40}, {2000, 50}},          // two loops, near within
      {9, 5, 3, {4, 5, 6}, {15000, 3000, 490}},  // three loops, far
      {0, 5000, 1, {11}, {5100}},                // long and near
  };
  std::mt19937_64 random(1);
  for (const Dtype dtype : kAllDtypes) {
    CAPTURE(static_cast<int>(dtype));
    for (const Fill& fill : fills) {
      CAPTURE(fill.index());
      const auto whole = test::Run(fill, key, dtype, 80000);
      for (const Runs& runs : shapes) {
        CAPTURE(runs.length);
        CAPTURE(runs.offset);
        uint64_t elements = runs.length;
        for (int k = 0; k < runs.loops; ++k) elements *= runs.count[k];
        const size_t all = static_cast<size_t>(elements);
        const auto expected = Expected(whole, runs, dtype, 0, all);
        for (const int threads : {1, 3}) REQUIRE((RunPart(fill, key, runs, dtype, 0, all, threads) == expected));
        for (int i = 0; i < 4; ++i) {
          const uint64_t begin = random() % elements;
          const size_t count = static_cast<size_t>(random() % (elements - begin));
          REQUIRE((RunPart(fill, key, runs, dtype, begin, count, 2) == Expected(whole, runs, dtype, begin, count)));
        }
      }
    }
  }
}

TEST_CASE("runs are far into a fill as they are at its beginning") {
  const NormalFill fill{0, 1};
  const Key key{1, 2};
  const Runs runs{(uint64_t{1} << 40) + 5, 100, 1, {50}, {uint64_t{1} << 33}};
  const auto found = RunPart(fill, key, runs, Dtype::kFloat32, 0, 5000, 2);
  for (uint64_t run = 0; run < 50; ++run) {
    const auto expected = test::Run(fill, key, Dtype::kFloat32, 100, runs.offset + run * runs.stride[0]);
    REQUIRE(std::memcmp(found.data() + run * 400, expected.data(), 400) == 0);
  }
}

TEST_CASE("runs are the same on every target") {
  const Runs runs{3, 70, 1, {200}, {200}};
  const NormalFill fill{0, 1};
  for (const Dtype dtype : kAllDtypes) {
    const auto expected = RunPart(fill, {7, 8}, runs, dtype, 0, 14000, 1);
    test::ForEachTarget([&](const std::string& target) {
      CAPTURE(target);
      REQUIRE((RunPart(fill, {7, 8}, runs, dtype, 0, 14000, 2) == expected));
    });
  }
}

TEST_CASE("runs that reach beyond, overlap or have no elements are refused") {
  float data[8];
  const auto refused = [&](const Runs& runs, uint64_t begin, size_t count) {
    return CheckRuns(runs, {data, Dtype::kFloat32, begin, count});
  };
  const uint64_t limit = uint64_t{1} << 53;
  CHECK(refused({0, 4, 1, {2}, {10}}, 0, 8) == "");
  CHECK(refused({0, 4, 1, {2}, {10}}, 1, 8) == "expected a part of the runs");
  // A loop that comes by the same elements again.
  const uint64_t often = uint64_t{1} << 40;
  CHECK(refused({0, 4, 2, {often, often / 1024}, {0, 10}}, limit - 8, 8) == "");
  CHECK(refused({0, 4, 2, {often, often / 1024}, {0, 10}}, limit - 7, 8) == "expected a part of the runs");
  CHECK(refused({0, 4, 2, {often, often / 1024}, {0, 10}}, UINT64_MAX - 1, 8) == "expected a part of the runs");
  CHECK(refused({0, 0, 1, {2}, {10}}, 0, 0) == "expected runs of 1 to 2^53 elements");
  CHECK(refused({0, 4, 1, {0}, {10}}, 0, 0) == "expected counts of 1 to 2^53 runs");
  CHECK(refused({0, 4, 1, {2}, {3}}, 0, 8) == "expected runs that do not overlap");
  CHECK(refused({limit - 4, 4, 0, {}, {}}, 0, 4) == "expected runs within 2^53 elements");
  CHECK(refused({0, 4, 2, {limit, 2}, {limit, 4}}, 0, 8) == "expected runs within 2^53 elements");
  CHECK(refused({0, 4, 9, {}, {}}, 0, 4) == "expected at most 8 loops over runs");
  CHECK_FALSE(As<ElementwiseFill>(OrthogonalFill{2, 4, 1, 1, 0}).has_value());
}

TEST_CASE("runs of a table of positions are refused where it ends, however few there are") {
  float data[2];
  const Range part{data, Dtype::kFloat32, 0, 2};
  const SinusoidFill table{4, 10000, 4, false};
  const auto refused = [&](uint64_t row) {
    const Runs runs{0, 1, 1, {2}, {4 * row}};
    REQUIRE(CheckRuns(runs, part) == "");
    return CheckFill(table, Covered(runs, part));
  };
  CHECK(refused(uint64_t{1} << 20) == "");
  CHECK(refused((uint64_t{1} << 20) + 1) == "expected at most 2^20 rows, but received 1048577");
  CHECK(refused(uint64_t{1} << 40) == "expected at most 2^20 rows, but received 1099511627776");
}

TEST_CASE("a cancelled part says so") {
  const int32_t word = 1;
  std::vector<float> data(1 << 20);
  const Runs runs{0, 512, 1, {2048}, {1024}};
  CHECK_FALSE(
      FillRuns(NormalFill{0, 1}, {1, 2}, runs, {data.data(), Dtype::kFloat32, 0, data.size()}, 2, CancelFlag(&word)));
}

}  // namespace
}  // namespace nninit
