// Memory and threads that the system refuses, at each place where a fill asks for some: an exception and nothing half
// done, or the right values. Nothing is lost, and the next fill is right.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <vector>

#include "fill/run.h"
#include "fill/runs.h"
#include "random/mt19937.h"
#include "random/mt19937_jump.h"
#include "system/threads.h"
#include "torch/run.h"

#if defined(__linux__)
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#endif

namespace {

// How many requests for memory or threads are granted before one is not; negative: all are.
std::atomic<long> left{-1};
// Whether those after it are not granted, either.
std::atomic<bool> for_good{false};
// Requests of so many bytes are not granted.
std::atomic<size_t> unavailable{0};
std::atomic<int> refused{0};
// Pieces of memory that are in use.
std::atomic<long> in_use{0};

bool Granted() {
  if (left.load() < 0) return true;
  if (left.fetch_sub(1) > 0) return true;
  if (for_good) left = 0;
  ++refused;
  return false;
}

__attribute__((noinline)) void* Allocate(size_t bytes) noexcept {
  if ((bytes > 0 && bytes == unavailable) || !Granted()) return nullptr;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory != nullptr) ++in_use;
  return memory;
}

__attribute__((noinline)) void Free(void* memory) noexcept {
  if (memory != nullptr) --in_use;
  std::free(memory);
}

}  // namespace

void* operator new(size_t bytes) {
  if (void* memory = Allocate(bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
// The library's own would come here too; a sanitizer's would not.
void* operator new[](size_t bytes) { return operator new(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete[](void* memory, size_t) noexcept { Free(memory); }

#if defined(__linux__)
// In place of the C library's, which std::thread would call.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                              void* argument) noexcept {
  if (!Granted()) return EAGAIN;
  static const auto create = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, start, argument);
}
#endif

namespace nninit {
namespace {

enum class Outcome { kDone, kNotDone, kThrown };

// Refuses what `run` asks for after `allowed` requests.
Outcome RunRefused(long allowed, bool from_then_on, const std::function<bool()>& run) {
  Outcome outcome = Outcome::kThrown;
  for_good = from_then_on;
  refused = 0;
  left = allowed;
  try {
    outcome = run() ? Outcome::kDone : Outcome::kNotDone;
  } catch (const std::bad_alloc&) {
    outcome = Outcome::kThrown;
  }
  left = -1;
  return outcome;
}

// Where the engine torch would be after a fill.
TorchState after;

struct Case {
  const char* name;
  Dtype dtype;
  size_t count;
  std::function<bool(const Range& range, int threads)> run;
  bool is_torch;
  bool needs_memory;
};

void CheckRefusals(const Case& each, int threads, bool from_then_on) {
  CAPTURE(each.name);
  CAPTURE(threads);
  CAPTURE(from_then_on);
  const size_t bytes = each.count * DtypeBytes(each.dtype);
  const std::vector<unsigned char> untouched(bytes, 0xA5);
  std::vector<unsigned char> expected = untouched;
  std::vector<unsigned char> data(bytes);
  const auto run = [&](std::vector<unsigned char>* to) {
    SeedTorch(5, &after);
    return each.run({to->data(), each.dtype, 0, each.count}, threads);
  };
  REQUIRE(run(&expected));
  StopThreads();
  const long before = in_use;
  const std::function<bool()> refusing = [&] { return run(&data); };
  int refusals = 0;
  int thrown = 0;
  // Each of the first hundred; then every twentieth part of as many more.
  for (long allowed = 0; allowed == 0 || refused > 0; allowed += allowed < 100 ? 1 : allowed / 20) {
    CAPTURE(allowed);
    data = untouched;
    const Outcome outcome = RunRefused(allowed, from_then_on, refusing);
    StopThreads();
    REQUIRE(in_use == before);
    REQUIRE(outcome != Outcome::kNotDone);
    if (outcome == Outcome::kDone) {
      REQUIRE((data == expected));
    } else {
      REQUIRE(refused > 0);
      // Memory is asked for before the first element is written; the engine torch does so later too, but stays where
      // it was.
      REQUIRE((each.is_torch ? after.fresh : data == untouched));
      ++thrown;
    }
    refusals += refused > 0 ? 1 : 0;
  }
  // Short of memory for a second thread, one alone makes what needs none itself.
  CHECK(refusals >= threads - 1);
  CHECK((thrown > 0) == each.needs_memory);
}

// As many elements as several tasks of the default engine, and several segments of the engine torch.
constexpr size_t kCount = 300000;

void CheckAll(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    for (const int threads : {1, 3}) {
      for (const bool from_then_on : {false, true}) CheckRefusals(each, threads, from_then_on);
    }
  }
}

Case Philox(const char* name, Fill fill, Dtype dtype = Dtype::kFloat32, size_t count = kCount) {
  return {name,  dtype,
          count, [fill](const Range& range, int threads) {
            return RunFill(fill, {1, 2}, range, threads); },
          false, !As<ElementwiseFill>(fill)};
}

TEST_CASE("refused memory or threads: fills of the default engine throw before they write, or are right") {
  const Runs runs{5, 100, 2, {3, 1000}, {200000, 150}};
  CheckAll({
      Philox("constant", ConstantFill{3}, Dtype::kFloat32, 4 * kCount),
      Philox("uniform", UniformFill{0, 1}),
      Philox("normal", NormalFill{0, 1}, Dtype::kBFloat16),
      Philox("trunc_normal by quantiles", TruncNormalFill{0, 1, -2, 2}),
      Philox("trunc_normal redrawn", TruncNormalFill{0, 1, 0.4, 9}, Dtype::kFloat16),
      Philox("trunc_normal of a tail", TruncNormalFill{0, 1, 5, 9}, Dtype::kFloat64),
      Philox("diagonal", DiagonalFill{2, 0, 501, 500, 1, 0}, Dtype::kFloat32, 4 * kCount),
      {"runs", Dtype::kFloat32, kCount,
       [runs](const Range& range, int threads) {
         return FillRuns(NormalFill{0, 1}, {1, 2}, runs, range, threads);
       },
       false, false},
      Philox("orthogonal of one block", OrthogonalFill{3000, 30, 1}, Dtype::kFloat32, 90000),
      Philox("orthogonal of many", OrthogonalFill{110, 300, 1}, Dtype::kFloat16, 33000),
      Philox("orthogonal in float64", OrthogonalFill{300, 110, 1}, Dtype::kFloat64, 33000),
      Philox("orthogonal with taps", OrthogonalFill{60, 200, 1, 9, 4}, Dtype::kFloat32, 108000),
      Philox("sparse", SparseFill{600, 500, 60, 1}),
  });
}

Case Torch(const char* name, RandomFill fill, Dtype dtype = Dtype::kFloat32, size_t count = kCount) {
  return {name,
          dtype,
          count,
          [torch = TorchFill{fill, dtype, count}](const Range& range, int threads) {
            const TorchState start = after;
            return RunTorch(torch, start, range, threads, CancelFlag(), &after) > 0;
          },
          true,
          true};
}

TEST_CASE("refused memory or threads: fills of the engine torch throw and do not advance, or are right") {
  CheckAll({
      Torch("uniform", UniformFill{0, 1}),
      Torch("normal", NormalFill{0, 1}, Dtype::kBFloat16),
      Torch("trunc_normal redrawn", TruncNormalFill{0, 1, -1, 1}),
      Torch("trunc_normal by rejection", TruncNormalFill{0, 1, 1, 3}, Dtype::kFloat64),
      Torch("orthogonal of one block", OrthogonalFill{3000, 30, 1}, Dtype::kFloat32, 90000),
      Torch("orthogonal in 16 bits", OrthogonalFill{30, 3000, 1}, Dtype::kFloat16, 90000),
      Torch("orthogonal of many", OrthogonalFill{110, 300, 1}, Dtype::kFloat32, 33000),
      Torch("sparse", SparseFill{600, 500, 60, 1}),
  });
}

TEST_CASE("sparse fills of the engine torch without memory for their permutations write nothing") {
  const SparseFill fill{60000, 7, 60, 1};
  const TorchFill torch{fill, Dtype::kFloat32, 420000};
  std::vector<float> data(torch.total, 7.0f);
  TorchState start;
  SeedTorch(5, &start);
  for (const int threads : {1, 3}) {
    unavailable = fill.rows * sizeof(uint32_t);
    CHECK_THROWS_AS(RunTorch(torch, start, {data.data(), torch.dtype, 0, torch.total}, threads, CancelFlag(), nullptr),
                    std::bad_alloc);
    unavailable = 0;
    CHECK((data == std::vector<float>(torch.total, 7.0f)));
  }
}

TEST_CASE("refused memory: a jump far into the words throws, and succeeds the next time") {
  MtState start;
  MtSeed(5, &start);
  int refusals = 0;
  for (long allowed = 0; allowed == 0 || refused > 0; ++allowed) {
    CAPTURE(allowed);
    // One that is not among those kept for next time.
    const uint64_t distance = (uint64_t{1} << 40) + static_cast<uint64_t>(allowed) * kMtWords;
    const std::function<bool()> jump = [&] { return JumpIndices(distance) != nullptr; };
    const Outcome outcome = RunRefused(allowed, false, jump);
    REQUIRE(outcome == (refused > 0 ? Outcome::kThrown : Outcome::kDone));
    refusals += refused > 0 ? 1 : 0;
    MtCursor there(start, distance);
    MtCursor before(start, distance - 312);
    before.Next(312);
    REQUIRE(*there.Next(1) == *before.Next(1));
  }
  CHECK(refusals > 2);
}

}  // namespace
}  // namespace nninit
