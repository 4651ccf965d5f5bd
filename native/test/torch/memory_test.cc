// Running out of memory at every place where the torch engine asks for some: an exception, and no more.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "test/support.h"
#include "torch/run.h"

namespace {

// How many allocations succeed before one fails; negative: all do.
std::atomic<long> left{-1};

void* Allocate(size_t bytes) {
  if (left.load(std::memory_order_relaxed) >= 0 && left.fetch_sub(1) == 0) return nullptr;
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

void* operator new(size_t bytes) {
  if (void* memory = Allocate(bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace nninit {
namespace {

TEST_CASE("out of memory is an exception on every thread, and the next fill is right") {
  const RandomFill fills[] = {UniformFill{0, 1}, TruncNormalFill{0, 1, -1, 1}, TruncNormalFill{0, 1, 1, 3},
                              NormalFill{0, 1},  SparseFill{600, 1000, 60, 1}, OrthogonalFill{100, 6000, 1, 1, 0}};
  for (const RandomFill& fill : fills) {
    CAPTURE(fill.index());
    const TorchFill torch{fill, Dtype::kFloat32, 600000};
    std::vector<float> expected(torch.total);
    TorchState start;
    SeedTorch(5, &start);
    TorchState end;
    const auto run = [&](std::vector<float>* data) {
      return RunTorch(torch, start, {data->data(), torch.dtype, 0, torch.total}, 3, CancelFlag(), &end);
    };
    REQUIRE(run(&expected) > 0);
    std::vector<float> data(torch.total);
    int failures = 0;
    for (long allowed = 0;; allowed = allowed < 12 ? allowed + 1 : allowed * 5 / 4) {
      bool failed = false;
      left = allowed;
      try {
        run(&data);
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      const bool reached = left.exchange(-1) < 0;
      if (!reached) break;
      failures += failed ? 1 : 0;
    }
    CHECK(failures > 0);
    REQUIRE(run(&data) > 0);
    CHECK((data == expected));
  }
}

}  // namespace
}  // namespace nninit
