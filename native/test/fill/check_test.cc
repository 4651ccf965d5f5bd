// What the native side refuses on its own, whatever TypeScript let through.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <new>
#include <thread>

#include "test/support.h"
#include "system/threads.h"

namespace nninit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

bool Refused(const Fill& fill, Dtype dtype = Dtype::kFloat32, size_t count = 12, uint64_t begin = 0) {
  return !CheckFill(fill, {nullptr, dtype, begin, count}).empty();
}

TEST_CASE("impossible parameters are refused") {
  for (const double bad : {kNaN, kInf, -kInf, 1e39}) {
    CAPTURE(bad);
    CHECK(Refused({Kind::kUniform, {bad, 1}}));
    CHECK(Refused({Kind::kUniform, {0, bad}}));
    CHECK(Refused({Kind::kNormal, {bad, 1}}));
    CHECK(Refused({Kind::kNormal, {0, bad}}));
    CHECK(Refused({Kind::kTruncNormal, {0, 1, bad, 2}}));
    CHECK(Refused({Kind::kTruncNormal, {0, 1, -2, bad}}));
    CHECK(Refused({Kind::kTruncNormal, {0, bad, -2, 2}}));
    CHECK(Refused({Kind::kOrthogonal, {3, 4, bad, 1, 0}}));
    CHECK(Refused({Kind::kOrthogonal, {bad, 4, 1, 1, 0}}));
    CHECK(Refused({Kind::kSparse, {3, 4, bad, 1}}));
    CHECK(Refused({Kind::kDiagonal, {1, bad, 1, 1, 1, 1}}));
  }
  CHECK(Refused({Kind::kUniform, {1, 0}}));
  CHECK(Refused({Kind::kNormal, {0, -1}}));
  CHECK(Refused({Kind::kTruncNormal, {0, 0, -2, 2}}));
  CHECK(Refused({Kind::kTruncNormal, {0, 1, 2, -2}}));
  CHECK(Refused({Kind::kConstant, {70000}}, Dtype::kFloat16));
  CHECK(Refused({Kind::kUniform, {-3e38, 3e38}}));
  CHECK(Refused({Kind::kUniform, {1.0001, 1.0002}}, Dtype::kBFloat16));
  CHECK_FALSE(Refused({Kind::kUniform, {1.0001, 1.0002}}));
  CHECK_FALSE(Refused({Kind::kConstant, {kNaN}}));
  CHECK_FALSE(Refused({Kind::kConstant, {kInf}}));
}

TEST_CASE("matrices that do not cover the memory are refused") {
  CHECK_FALSE(Refused({Kind::kOrthogonal, {3, 4, 1, 1, 0}}));
  CHECK(Refused({Kind::kOrthogonal, {3, 5, 1, 1, 0}}));
  CHECK(Refused({Kind::kOrthogonal, {3, 4, 1, 1, 0}}, Dtype::kFloat32, 12, 1));
  CHECK(Refused({Kind::kOrthogonal, {3, 2, 1, 2, 2}}));
  CHECK(Refused({Kind::kOrthogonal, {3, 4, 1, 0, 0}}));
  CHECK(Refused({Kind::kOrthogonal, {1.5, 8, 1, 1, 0}}));
  CHECK(Refused({Kind::kOrthogonal, {-3, -4, 1, 1, 0}}));
  CHECK(Refused({Kind::kSparse, {3, 4, 4, 1}}));
  CHECK(Refused({Kind::kSparse, {3, 3, 1, 1}}));
  CHECK(Refused({Kind::kNormal, {0, 1}}, Dtype::kFloat32, 12, (uint64_t{1} << 53) - 5));
}

TEST_CASE("parallel loops run every task once, also inside one another and after the threads were stopped") {
  for (int round = 0; round < 3; ++round) {
    for (const int threads : {1, 2, 5}) {
      std::vector<std::atomic<int>> runs(1000);
      ParallelFor(runs.size(), threads, [&](size_t i) {
        runs[i].fetch_add(1);
        if (i % 100 == 0) {
          std::atomic<int> inner{0};
          ParallelFor(7, 3, [&](size_t) { inner.fetch_add(1); });
          if (inner != 7) runs[i] = -1;
        }
      });
      for (const auto& n : runs) REQUIRE(n == 1);
    }
    StopThreads();
  }
  ParallelFor(0, 4, [](size_t) { FAIL("no task was asked for"); });
}

TEST_CASE("what a task throws on any thread reaches the caller, and the threads go on") {
  for (int round = 0; round < 50; ++round) {
    for (const int threads : {1, 2, 5}) {
      std::atomic<int> running{0};
      const auto throwing = [&](size_t i) {
        ++running;
        if (i % 3 == 0) {
          --running;
          throw std::bad_alloc();
        }
        std::this_thread::yield();
        --running;
      };
      REQUIRE_THROWS_AS(ParallelFor(20, threads, throwing), std::bad_alloc);
      REQUIRE(running == 0);
      std::atomic<int> done{0};
      ParallelFor(20, threads, [&](size_t) { ++done; });
      REQUIRE(done == 20);
    }
  }
}

TEST_CASE("a cancelled fill says so and stops") {
  int32_t word = 1;
  std::vector<float> memory(size_t{1} << 20, 7.0f);
  const Range range{memory.data(), Dtype::kFloat32, 0, memory.size()};
  CHECK_FALSE(RunFill({Kind::kNormal, {0, 1}}, {1, 1}, range, 2, CancelFlag(&word)));
  CHECK(memory.front() == 7.0f);
  CHECK(memory.back() == 7.0f);
  CHECK_FALSE(RunFill({Kind::kOrthogonal, {1024, 1024, 1, 1, 0}}, {1, 1}, range, 2, CancelFlag(&word)));
  CHECK_FALSE(RunFill({Kind::kSparse, {1024, 1024, 9, 1}}, {1, 1}, range, 2, CancelFlag(&word)));
  word = 0;
  CHECK(RunFill({Kind::kNormal, {0, 1}}, {1, 1}, range, 2, CancelFlag(&word)));
  CHECK(memory.back() != 7.0f);
}

TEST_CASE("the number of threads can be set and read") {
  const int before = GetNumThreads();
  CHECK(before >= 1);
  SetNumThreads(3);
  CHECK(GetNumThreads() == 3);
  SetNumThreads(before);
}

}  // namespace
}  // namespace nninit
