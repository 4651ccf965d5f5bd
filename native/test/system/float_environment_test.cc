// Whatever an addon has done to this thread's arithmetic, values are the same, and it finds it as it was.
#include "system/float_environment.h"

#include <doctest/doctest.h>

#include <cfenv>

#include "fill/runs.h"
#include "system/threads.h"
#include "test/support.h"
#include "torch/run.h"

namespace nninit {
namespace {

#if defined(__SSE2__)
// Flush-to-zero, subnormals-are-zero, rounding up.
uint32_t Spoil() {
  _mm_setcsr(0x1F80 | 0x8000 | 0x0040 | 0x4000);
  return _mm_getcsr();
}
uint32_t State() { return _mm_getcsr(); }
void Mend() { _mm_setcsr(0x1F80); }
#elif defined(__aarch64__)
uint64_t State() {
  uint64_t state;
  asm volatile("mrs %0, fpcr" : "=r"(state));
  return state;
}
uint64_t Spoil() {
  asm volatile("msr fpcr, %0" : : "r"((uint64_t{1} << 24) | (uint64_t{1} << 22)) : "memory");
  return State();
}
void Mend() { asm volatile("msr fpcr, %0" : : "r"(uint64_t{0}) : "memory"); }
#else
int State() { return std::fegetround(); }
int Spoil() {
  std::fesetround(FE_UPWARD);
  return State();
}
void Mend() { std::fesetround(FE_TONEAREST); }
#endif

// make(threads), in the environment as it should be and in another one.
template <class Make>
void CheckSame(const Make& make) {
  StopThreads();
  const auto expected = make(1);
  const auto spoilt = Spoil();
  for (const int threads : {1, 3}) {
    // Helpers begin with the environment of whoever starts them.
    StopThreads();
    const auto values = make(threads);
    const auto left = State();
    Mend();
    CHECK(left == spoilt);
    CHECK((values == expected));
    Spoil();
  }
  Mend();
  StopThreads();
}

TEST_CASE("fills do not depend on flush-to-zero or the rounding mode, and leave them as they were") {
  const Fill fills[] = {UniformFill{0, 1e-38},
                        UniformFill{-0.3, 0.7},
                        NormalFill{0, 1e-38},
                        NormalFill{0, 1},
                        TruncNormalFill{0, 1, -2, 2},
                        TruncNormalFill{0, 1e-38, -3e-38, 4e-38},
                        TruncNormalFill{0, 1, 4, 9},
                        ConstantFill{1e-41},
                        OrthogonalFill{70, 90, 1e-38, 1},
                        SparseFill{900, 700, 9, 1e-38}};
  for (const Dtype dtype : test::kAllDtypes) {
    if (dtype == Dtype::kFloat16) continue;  // has no number below 1e-7
    for (const Fill& fill : fills) {
      CAPTURE(fill.index());
      const size_t matrix = test::MatrixElements(fill);
      CheckSame([&](int threads) { return test::Run(fill, {1, 2}, dtype, matrix == 0 ? 300000 : matrix, 0, threads); });
    }
  }
  CheckSame([](int threads) {
    std::vector<float> part(300000);
    const Range range{part.data(), Dtype::kFloat32, 0, part.size()};
    const Runs runs{5, 100, 1, {3000}, {150}};
    FillRuns(NormalFill{0, 1e-38}, {1, 2}, runs, range, threads);
    return part;
  });
}

TEST_CASE("fills of the engine torch do not depend on them either") {
  const RandomFill fills[] = {UniformFill{0, 1e-37}, NormalFill{0, 1e-38}, TruncNormalFill{0, 1e-38, -2e-38, 2e-38},
                              TruncNormalFill{0, 1, 1, 3}};
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat64, Dtype::kBFloat16}) {
    for (const RandomFill& fill : fills) {
      CAPTURE(fill.index());
      CheckSame([&](int threads) {
        const TorchFill torch{fill, dtype, 300000};
        std::vector<uint8_t> data(torch.total * DtypeBytes(dtype));
        TorchState state;
        SeedTorch(3, &state);
        REQUIRE(RunTorch(torch, state, {data.data(), dtype, 0, torch.total}, threads, CancelFlag(), &state) > 0);
        std::vector<uint8_t> bytes(kTorchStateBytes);
        WriteTorchState(state, bytes.data());
        data.insert(data.end(), bytes.begin(), bytes.end());
        return data;
      });
    }
  }
}

TEST_CASE("what is refused does not depend on them, and they are left as they were") {
  // PyTorch takes the logarithm of numbers that may be subnormal.
  const TorchFill torch{LogOfUniformFill{1e-310, 1}, Dtype::kFloat64, 100};
  const auto spoilt = Spoil();
  const std::string refusal = CheckTorch(torch, {nullptr, torch.dtype, 0, torch.total});
  const auto left = State();
  Mend();
  CHECK(left == spoilt);
  CHECK(refusal == "");
}

}  // namespace
}  // namespace nninit
