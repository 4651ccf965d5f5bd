// The torch engine: the same bytes on every target, for every thread count and every cut. What they are is recorded
// from PyTorch, in test/engines.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "test/support.h"
#include "torch/run.h"

namespace nninit {
namespace {

using test::kAllDtypes;

const RandomFill kFills[] = {
    UniformFill{-0.3, 0.7},           NormalFill{-3, 0.02},          TruncNormalFill{0, 1, -2, 2},
    TruncNormalFill{0, 1, -0.5, 0.6}, TruncNormalFill{0, 1, 1.5, 3}, TruncNormalFill{5, 1, 0, 2},
};

struct Result {
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> state;
};

TorchState Seeded() {
  TorchState stream;
  SeedTorch(99, &stream);
  return stream;
}

Result RunWhole(const TorchFill& torch, int threads, const TorchState& start = Seeded()) {
  Result result;
  result.bytes.assign(torch.total * DtypeBytes(torch.dtype) + 1, 0xA5);
  const Range range{result.bytes.data(), torch.dtype, 0, torch.total};
  REQUIRE(CheckTorch(torch, range) == "");
  TorchState end;
  REQUIRE(RunTorch(torch, start, range, threads, CancelFlag(), &end) > 0);
  REQUIRE(result.bytes.back() == 0xA5);
  result.state.resize(kTorchStateBytes);
  WriteTorchState(end, result.state.data());
  return result;
}

TEST_CASE("what PyTorch draws in another way, or cannot, is refused") {
  const auto refused = [](const RandomFill& fill) {
    return !CheckTorch({fill, Dtype::kFloat32, 100}, {nullptr, Dtype::kFloat32, 0, 0}).empty();
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  CHECK(refused(TruncNormalFill{0, 1, 1, kInfinity}));
  CHECK(refused(TruncNormalFill{0, 1, -kInfinity, -1}));
  CHECK_FALSE(refused(TruncNormalFill{0, 1, 0, kInfinity}));
  CHECK_FALSE(refused(TruncNormalFill{0, 1, -kInfinity, kInfinity}));
  const auto refused_in = [](Dtype dtype, const RandomFill& fill) {
    return !CheckTorch({fill, dtype, 100}, {nullptr, dtype, 0, 0}).empty();
  };
  // Logarithms of what rounds to 0.
  CHECK(refused_in(Dtype::kFloat16, LogOfUniformFill{2e-8, 1}));
  CHECK_FALSE(refused_in(Dtype::kFloat16, LogOfUniformFill{6e-8, 1}));
  CHECK_FALSE(refused_in(Dtype::kBFloat16, LogOfUniformFill{2e-8, 1}));
  CHECK(refused_in(Dtype::kFloat32, DtBiasFill{1e-50, 1, 0}));
  CHECK(refused_in(Dtype::kBFloat16, DtBiasFill{1, 1e-50, 1e-46}));
  CHECK_FALSE(refused_in(Dtype::kFloat32, DtBiasFill{1e-50, 1, 1e-40}));
  CHECK_FALSE(refused_in(Dtype::kFloat16, DtBiasFill{1e-40, 1, 0}));
  CHECK_FALSE(refused_in(Dtype::kFloat64, DtBiasFill{1e-50, 1, 0}));
  const auto rows = [](uint64_t rows) {
    return CheckTorch({SparseFill{rows, 1, 1, 1}, Dtype::kFloat32, rows}, {nullptr, Dtype::kFloat32, 0, rows});
  };
  CHECK(rows(214748363).empty());
  CHECK_FALSE(rows(214748364).empty());
}

// Long enough for several threads; under sanitizers no longer than that.
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kLong = 150011;
#else
constexpr uint64_t kLong = 600011;
#endif

TEST_CASE("every target and thread count gives the same bytes and state") {
  for (const Dtype dtype : kAllDtypes) {
    for (const RandomFill& fill : kFills) {
      CAPTURE(static_cast<int>(dtype));
      CAPTURE(&fill - kFills);
      for (const uint64_t total : {uint64_t{5}, uint64_t{16}, uint64_t{1007}, kLong}) {
        if (total == kLong && dtype != Dtype::kFloat32) continue;
        const TorchFill torch{fill, dtype, total};
        const Result expected = RunWhole(torch, 1);
        test::ForEachTarget([&](const std::string& target) {
          CAPTURE(target);
          for (const int threads : {1, 4}) {
            const Result result = RunWhole(torch, threads);
            REQUIRE((result.bytes == expected.bytes));
            REQUIRE((result.state == expected.state));
          }
        });
      }
    }
  }
}

TEST_CASE("ranges are parts of the whole, and their draws lead to its end") {
  std::mt19937 random(3);
  for (const Dtype dtype : kAllDtypes) {
    for (const RandomFill& fill : kFills) {
      CAPTURE(static_cast<int>(dtype));
      CAPTURE(&fill - kFills);
      for (const uint64_t total : {uint64_t{7}, uint64_t{16}, uint64_t{33}, uint64_t{2000}, uint64_t{9999}}) {
        CAPTURE(total);
        const TorchFill torch{fill, dtype, total};
        const Result expected = RunWhole(torch, 1);
        const size_t bytes = DtypeBytes(dtype);
        uint64_t rounds = 0;
        for (uint64_t begin = 0; begin < total;) {
          const auto count = std::min<uint64_t>(total - begin, 1 + random() % (1 + total / 3));
          const size_t offset = random() % (64 / bytes) * bytes;
          std::vector<uint8_t> part(offset + count * bytes + 1, 0xA5);
          const int writers = random() % 2 == 0 ? 8 : 0;
          const Range range{part.data() + offset, dtype, begin, count, writers};
          rounds = std::max(rounds, RunTorch(torch, Seeded(), range, 1, CancelFlag(), nullptr));
          REQUIRE(std::memcmp(range.data, expected.bytes.data() + begin * bytes, count * bytes) == 0);
          REQUIRE(part.back() == 0xA5);
          REQUIRE(std::count(part.begin(), part.begin() + static_cast<ptrdiff_t>(offset), 0xA5) ==
                  static_cast<ptrdiff_t>(offset));
          begin += count;
        }
        TorchState end = Seeded();
        REQUIRE(SkipTorch(torch, rounds, &end));
        std::vector<uint8_t> state(kTorchStateBytes);
        WriteTorchState(end, state.data());
        REQUIRE((state == expected.state));
      }
    }
  }
}

TEST_CASE("matrices have one result, and lead on") {
  const RandomFill fills[] = {SparseFill{150, 70, 15, 0.01},      SparseFill{3, 4, 1, 1},
                              OrthogonalFill{150, 70, 1.5, 1, 0}, OrthogonalFill{70, 150, 1, 1, 0},
                              OrthogonalFill{3, 2, 1, 1, 0},      OrthogonalFill{20, 30, 1, 9, 4}};
  for (const Dtype dtype : kAllDtypes) {
    for (const RandomFill& fill : fills) {
      CAPTURE(static_cast<int>(dtype));
      CAPTURE(&fill - fills);
      const TorchFill torch{fill, dtype, test::MatrixElements(fill)};
      const Result expected = RunWhole(torch, 1);
      test::ForEachTarget([&](const std::string& target) {
        CAPTURE(target);
        for (const int threads : {1, 3}) REQUIRE((RunWhole(torch, threads).bytes == expected.bytes));
      });
      TorchState end = Seeded();
      REQUIRE(SkipTorch(torch, 1, &end));
      std::vector<uint8_t> state(kTorchStateBytes);
      WriteTorchState(end, state.data());
      CHECK((state == expected.state));
    }
  }
}

TEST_CASE("a state goes through its bytes") {
  TorchState stream = Seeded();
  std::vector<uint8_t> bytes(kTorchStateBytes);
  for (const uint64_t total : {0u, 3u, 1u, 600u, 24u, 16u}) {
    WriteTorchState(stream, bytes.data());
    TorchState read;
    REQUIRE(ReadTorchState(bytes.data(), &read) == "");
    std::vector<uint8_t> again(kTorchStateBytes);
    WriteTorchState(read, again.data());
    CHECK((again == bytes));
    if (total > 0) REQUIRE(SkipTorch({NormalFill{0, 1}, Dtype::kFloat32, total}, 1, &stream));
  }
}

TEST_CASE("draws that would never end do") {
  // The bounds lie between a float32 that all normals are rounded to, and one that the lower bound is.
  const TruncNormalFill between{16777216.999, 0.005, 16777217.001, 16777219};
  // Ten million standard deviations away.
  const TruncNormalFill far{0, 1e-7, 1, 2};
  for (const TruncNormalFill& fill : {between, far}) {
    for (const uint64_t total : {uint64_t{16}, uint64_t{21}, uint64_t{3000000}}) {
      if (total > 100 && fill.mean != 0) continue;
      const TorchFill torch{fill, Dtype::kFloat32, total};
      std::vector<float> data(total);
      const Range range{data.data(), torch.dtype, 0, total};
      REQUIRE(CheckFill(fill, range) == "");
      TorchState end;
      CHECK(RunTorch(torch, Seeded(), range, 2, CancelFlag(), &end) == 0);
    }
  }
}

TEST_CASE("the longest fills") {
  const uint64_t total = (uint64_t{1} << 53) - 1;
  for (const Dtype dtype : kAllDtypes) {
    for (const RandomFill& fill : kFills) {
      const TorchFill torch{fill, dtype, total};
      std::vector<uint8_t> whole(40 * DtypeBytes(dtype));
      const uint64_t begin = total - 40;
      const uint64_t rounds = RunTorch(torch, Seeded(), {whole.data(), dtype, begin, 40}, 2, CancelFlag(), nullptr);
      REQUIRE(rounds > 0);
      std::vector<uint8_t> part(9 * DtypeBytes(dtype));
      REQUIRE(RunTorch(torch, Seeded(), {part.data(), dtype, begin + 31, 9}, 1, CancelFlag(), nullptr) > 0);
      CHECK(std::equal(part.begin(), part.end(), whole.end() - static_cast<std::ptrdiff_t>(part.size())));
      TorchState end = Seeded();
      CHECK(SkipTorch(torch, rounds, &end));
      CHECK_FALSE(SkipTorch(torch, total, &end));
      CHECK_FALSE(SkipTorch(torch, 1 << 16, &end));
    }
  }
}

}  // namespace
}  // namespace nninit
