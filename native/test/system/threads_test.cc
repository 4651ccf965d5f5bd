#include "system/threads.h"

#include <doctest/doctest.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace nninit {
namespace {

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

TEST_CASE("the number of threads can be set and read") {
  const int before = GetNumThreads();
  CHECK(before >= 1);
  SetNumThreads(3);
  CHECK(GetNumThreads() == 3);
  SetNumThreads(before);
}

}  // namespace
}  // namespace nninit
