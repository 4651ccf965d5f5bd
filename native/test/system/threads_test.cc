#include "system/threads.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <set>
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

// Waits until `count` reaches `value`; false after seconds, as no wait should end a test run.
bool Reaches(const std::atomic<int>& count, int value) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (count.load() < value && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return count.load() >= value;
}

TEST_CASE("loops of several threads at once each get the threads they ask for") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> at_once{0};
    std::atomic<int> met{0};
    // Each of 3 + 4 tasks waits for all seven: they must all run at the same time.
    const auto loop = [&](size_t threads) {
      ParallelFor(threads, static_cast<int>(threads), [&](size_t) {
        ++at_once;
        met += Reaches(at_once, 7) ? 1 : 0;
      });
    };
    std::thread other(loop, 4);
    loop(3);
    other.join();
    REQUIRE(met == 7);
  }
  StopThreads();
}

TEST_CASE("of many helpers those that are wanted begin with stretches of their own") {
  ParallelFor(8, 8, [](size_t) {});  // seven helpers now
  for (int round = 0; round < 200; ++round) {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    std::set<size_t> first;
    std::atomic<int> begun{0};
    // Four stretches of ten tasks. Each thread waits in its first task until all four are at theirs.
    ParallelFor(40, 4, [&](size_t task) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!seen.insert(std::this_thread::get_id()).second) return;
        first.insert(task);
      }
      ++begun;
      Reaches(begun, 4);
    });
    REQUIRE(first == std::set<size_t>{0, 10, 20, 30});
  }
  StopThreads();
}

TEST_CASE("threads may be stopped by several at once, while others use them") {
  for (int round = 0; round < 300; ++round) {
    ParallelFor(4, 4, [](size_t) {});
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int i = 0; i < 3; ++i) threads.emplace_back(StopThreads);
    std::atomic<int> done{0};
    ParallelFor(20, 3, [&](size_t) { ++done; });
    for (std::thread& thread : threads) thread.join();
    REQUIRE(done == 20);
  }
  StopThreads();
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
