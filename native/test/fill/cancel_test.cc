// How soon fills stop that are cancelled while they run; each fill would take many times as long.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <thread>

#include "fill/tasks.h"
#include "system/threads.h"
#include "test/support.h"
#include "torch/run.h"

namespace nninit {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

// Processor time of all threads (where std::clock keeps to the standard): what else a machine does counts for nothing.
Seconds ProcessorTime() { return Seconds(static_cast<double>(std::clock()) / CLOCKS_PER_SEC); }

// When a fill is stopped: after a while, or where it tells how far it is, when so many thousandths of it are done.
struct Moment {
  milliseconds after;
  int32_t reached;
};

constexpr Moment kSteps[] = {{milliseconds(0), 0}, {milliseconds(0), 30}, {milliseconds(0), 300}};
constexpr Moment kTimes[] = {{milliseconds(0), 0}, {milliseconds(30), 0}};

// Runs a fill, false if cancelled, whose flag is set at a moment, and returns the processor time that went on from
// then.
Seconds TimeToStop(const Moment& moment, const std::function<bool(const CancelFlag&)>& fill) {
  int32_t words[2] = {0, 0};
  std::atomic<bool> ended{false};
  Seconds set{0};
  std::thread setter([&] {
    std::this_thread::sleep_for(moment.after);
    const auto& progress = reinterpret_cast<std::atomic<int32_t>&>(words[1]);
    while (progress.load() < moment.reached && !ended) std::this_thread::sleep_for(milliseconds(1));
    set = ProcessorTime();
    reinterpret_cast<std::atomic<int32_t>&>(words[0]).store(1);
  });
  const bool done = fill(CancelFlag(&words[0], &words[1]));
  const Seconds end = ProcessorTime();
  ended = true;
  setter.join();
  CHECK_FALSE(done);
  return end - set;
}

// Under sanitizers all takes many times as long.
#if defined(__SANITIZE_THREAD__)
constexpr Seconds kSoon{10};
constexpr uint64_t kLong = 1 << 18;
#elif defined(__SANITIZE_ADDRESS__)
constexpr Seconds kSoon{3};
constexpr uint64_t kLong = 1 << 18;
#else
constexpr Seconds kSoon{0.5};
constexpr uint64_t kLong = 1 << 20;
#endif

// The stops of a fill of the default engine.
template <size_t N>
void CheckStops(const Fill& fill, Dtype dtype, size_t count, const Moment (&moments)[N]) {
  const std::unique_ptr<char[]> memory(new char[count * DtypeBytes(dtype)]);
  const Range range{memory.get(), dtype, 0, count};
  REQUIRE(CheckFill(fill, range) == "");
  for (const Moment& moment : moments) {
    CAPTURE(moment.after.count());
    CAPTURE(moment.reached);
    const Seconds took = TimeToStop(moment, [&](const CancelFlag& cancel) {
      return RunFill(fill, {1, 2}, range, 2, cancel);
    });
    CHECK(took.count() < kSoon.count());
  }
}

void CheckTorchStops(const RandomFill& fill, Dtype dtype, size_t count) {
  const std::unique_ptr<char[]> memory(new char[count * DtypeBytes(dtype)]);
  const Range range{memory.get(), dtype, 0, count};
  TorchState state;
  SeedTorch(1, &state);
  for (const Moment& moment : kSteps) {
    CAPTURE(moment.reached);
    const Seconds took = TimeToStop(moment, [&](const CancelFlag& cancel) {
      return RunTorch({fill, dtype, count}, state, range, 2, cancel, nullptr) > 0;
    });
    CHECK(took.count() < kSoon.count());
  }
}

TEST_CASE("a long thin orthogonal fill stops while its reflectors are made") {
  CheckStops(OrthogonalFill{kLong, 48, 1, 1, 0}, Dtype::kFloat32, 48 * kLong, kSteps);
  CheckStops(OrthogonalFill{48, kLong, 1, 1, 0}, Dtype::kFloat64, 48 * kLong, kSteps);
  CheckTorchStops(OrthogonalFill{kLong, 48, 1, 1, 0}, Dtype::kFloat32, 48 * kLong);
}

TEST_CASE("a large square orthogonal fill stops") {
  CheckStops(OrthogonalFill{4096, 4096, 1, 1, 0}, Dtype::kFloat32, size_t{1} << 24, kSteps);
}

TEST_CASE("a sparse fill stops within a column, and within a row") {
  CheckStops(SparseFill{1 << 26, 1, 1 << 25, 1}, Dtype::kFloat16, size_t{1} << 26, kTimes);
  CheckStops(SparseFill{1, 1 << 28, 1, 1}, Dtype::kFloat16, size_t{1} << 28, kTimes);
}

TEST_CASE("a cancelled fill writes nothing, also where it is short") {
  const int32_t word = 1;
  const Fill fills[] = {TruncNormalFill{0, 1, 4, 9}, TruncNormalFill{0, 1, 0.4, 9}, OrthogonalFill{40, 50, 1, 1, 0},
                        SparseFill{40, 50, 9, 1}};
  for (const Fill& fill : fills) {
    std::vector<uint16_t> data(2000, 7);
    CHECK_FALSE(RunFill(fill, {1, 2}, {data.data(), Dtype::kFloat16, 0, data.size()}, 2, CancelFlag(&word)));
    CHECK(std::count(data.begin(), data.end(), 7) == 2000);
  }
}

TEST_CASE("slow fills in 16 bits look at the flag every few thousand elements") {
  // None of their values is 0.
  const Fill fills[] = {TruncNormalFill{0, 1, 4, 9},
                        TruncNormalFill{0, 1, 5, 5.1},
                        TruncNormalFill{0, 1, 0.4, 9},
                        LogOfUniformFill{2, 16},
                        DtBiasFill{0.001, 0.1, 1e-4},
                        LogArangeFill{2, 1000},
                        SinusoidFill{1 << 17, 10000, 1 << 17, true}};
  // One task's bytes: nothing but the kernel itself can look.
  constexpr size_t kCount = kTaskBytes / sizeof(uint16_t);
  for (const Fill& fill : fills) {
    CAPTURE(fill.index());
    for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
      // The flag is the memory's own beginning: it is set as soon as the first elements are there.
      std::vector<int32_t> data(kCount / 2);
      // A row that is not the first: that has sines of 0.
      const Range range{data.data(), dtype, kCount, kCount};
      CHECK_FALSE(RunFill(fill, {1, 2}, range, 1, CancelFlag(data.data())));
      const auto* elements = reinterpret_cast<const uint16_t*>(data.data());
      const auto written = std::count_if(elements, elements + kCount, [](uint16_t x) { return x != 0; });
      CHECK(written > 0);
      CHECK(written <= 8192);
    }
  }
}

TEST_CASE("an orthogonal fill tells how far it is, up to its end") {
  std::vector<float> data(size_t{512} * 512);
  int32_t words[2] = {0, 0};
  std::atomic<bool> ended{false};
  std::vector<int32_t> told;
  std::thread reader([&] {
    while (!ended) {
      const int32_t now = reinterpret_cast<std::atomic<int32_t>&>(words[1]).load();
      if (told.empty() || told.back() != now) told.push_back(now);
    }
  });
  const Range range{data.data(), Dtype::kFloat32, 0, data.size()};
  CHECK(RunFill(OrthogonalFill{512, 512, 1, 1, 0}, {1, 2}, range, 2, CancelFlag(&words[0], &words[1])));
  ended = true;
  reader.join();
  CHECK(words[1] == 1000);
  CHECK(std::is_sorted(told.begin(), told.end()));
  for (const int32_t share : told) CHECK(share % 125 == 0);  // eight panels
}

TEST_CASE("a fill whose native threads are busy with another's does not wait for them") {
  std::atomic<bool> holding{false};
  std::atomic<bool> let_go{false};
  std::thread holder([&] {
    ParallelFor(2, 2, [&](size_t) {
      holding = true;
      while (!let_go) std::this_thread::sleep_for(milliseconds(1));
    });
  });
  while (!holding) std::this_thread::yield();
  CheckStops(OrthogonalFill{4096, 4096, 1, 1, 0}, Dtype::kFloat32, size_t{1} << 24, kSteps);
  std::vector<float> data(1 << 20);
  CHECK(RunFill(NormalFill{0, 1}, {1, 2}, {data.data(), Dtype::kFloat32, 0, data.size()}, 2));
  CHECK(data.back() != 0);
  let_go = true;
  holder.join();
}

}  // namespace
}  // namespace nninit
