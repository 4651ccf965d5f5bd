// What the native side refuses on its own, whatever TypeScript let through.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "test/support.h"

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
    CHECK(Refused(UniformFill{bad, 1}));
    CHECK(Refused(UniformFill{0, bad}));
    CHECK(Refused(NormalFill{bad, 1}));
    CHECK(Refused(NormalFill{0, bad}));
    CHECK(Refused(TruncNormalFill{0, bad, -2, 2}));
    CHECK(Refused(OrthogonalFill{3, 4, bad, 1, 0}));
    CHECK(Refused(SparseFill{3, 4, 1, bad}));
  }
  for (const double bad : {kNaN, 1e39, -1e39}) {
    CHECK(Refused(TruncNormalFill{0, 1, bad, kInf}));
    CHECK(Refused(TruncNormalFill{0, 1, -kInf, bad}));
  }
  CHECK(Refused(TruncNormalFill{0, 1, kInf, kInf}));
  CHECK(Refused(TruncNormalFill{0, 1, -kInf, -kInf}));
  CHECK_FALSE(Refused(TruncNormalFill{0, 1, 0, kInf}));
  CHECK_FALSE(Refused(TruncNormalFill{0, 1, -kInf, 0}));
  CHECK_FALSE(Refused(TruncNormalFill{0, 1, -kInf, kInf}));
  CHECK(Refused(UniformFill{1, 0}));
  CHECK(Refused(NormalFill{0, -1}));
  CHECK(Refused(TruncNormalFill{0, 0, -2, 2}));
  CHECK(Refused(TruncNormalFill{0, 1, 2, -2}));
  CHECK(Refused(ConstantFill{70000}, Dtype::kFloat16));
  CHECK(Refused(DiagonalFill{70000, 0, 1, 1, 1, 1}, Dtype::kFloat16));
  CHECK(Refused(DiagonalFill{1, 0, uint64_t{1} << 27, uint64_t{1} << 27, 1, 1}));
  CHECK(Refused(UniformFill{-3e38, 3e38}));
  CHECK(Refused(UniformFill{1.0001, 1.0002}, Dtype::kBFloat16));
  CHECK_FALSE(Refused(UniformFill{1.0001, 1.0002}));
  CHECK_FALSE(Refused(ConstantFill{kNaN}));
  CHECK_FALSE(Refused(ConstantFill{kInf}));
}

TEST_CASE("diagonals that would be written for ever are refused") {
  CHECK(Refused(DiagonalFill{1, 0, 1, 1, uint64_t{1} << 52, 0}));
  CHECK(Refused(DiagonalFill{1, 0, 0, uint64_t{1} << 52, 1, 0}));
  CHECK(Refused(DiagonalFill{1, 0, 3, 10, 2, 27}));
  CHECK_FALSE(Refused(DiagonalFill{1, 0, 3, 10, 2, 28}));
  CHECK_FALSE(Refused(DiagonalFill{1, 0, 0, 1, 1, 0}));
  CHECK_FALSE(Refused(DiagonalFill{1, 0, 0, 0, uint64_t{1} << 52, 0}));
}

TEST_CASE("a range far into 2^50 diagonals is written at once") {
  const DiagonalFill fill{1, 1, 1, 2, uint64_t{1} << 50, 3};
  const auto values =
      test::Values(fill, {}, Dtype::kFloat32, 9, (uint64_t{1} << 51) + 1);  // 2^51 + 1 is a multiple of 3
  CHECK((values == std::vector<double>{0, 1, 1, 0, 1, 1, 0, 1, 1}));
}

TEST_CASE("matrices that do not cover the memory are refused") {
  CHECK_FALSE(Refused(OrthogonalFill{3, 4, 1, 1, 0}));
  CHECK(Refused(OrthogonalFill{3, 5, 1, 1, 0}));
  CHECK(Refused(OrthogonalFill{3, 4, 1, 1, 0}, Dtype::kFloat32, 12, 1));
  CHECK(Refused(OrthogonalFill{3, 2, 1, 2, 2}));
  CHECK(Refused(OrthogonalFill{3, 4, 1, 0, 0}));
  CHECK(Refused(SparseFill{3, 4, 4, 1}));
  CHECK(Refused(SparseFill{3, 3, 1, 1}));
  CHECK(Refused(NormalFill{0, 1}, Dtype::kFloat32, 12, (uint64_t{1} << 53) - 5));
}

TEST_CASE("a cancelled fill says so and stops") {
  int32_t word = 1;
  std::vector<float> memory(size_t{1} << 20, 7.0f);
  const Range range{memory.data(), Dtype::kFloat32, 0, memory.size()};
  CHECK_FALSE(RunFill(NormalFill{0, 1}, {1, 1}, range, 2, CancelFlag(&word)));
  CHECK(memory.front() == 7.0f);
  CHECK(memory.back() == 7.0f);
  CHECK_FALSE(RunFill(OrthogonalFill{1024, 1024, 1, 1, 0}, {1, 1}, range, 2, CancelFlag(&word)));
  CHECK_FALSE(RunFill(SparseFill{1024, 1024, 9, 1}, {1, 1}, range, 2, CancelFlag(&word)));
  word = 0;
  CHECK(RunFill(NormalFill{0, 1}, {1, 1}, range, 2, CancelFlag(&word)));
  CHECK(memory.back() != 7.0f);
}

}  // namespace
}  // namespace nninit
