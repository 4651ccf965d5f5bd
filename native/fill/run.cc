#include "types/fill.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "kernels/constant.h"
#include "kernels/normal.h"
#include "types/rounding.h"
#include "kernels/trunc_normal.h"
#include "kernels/uniform.h"
#include "linalg/orthogonal.h"
#include "linalg/sparse.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {
namespace {

constexpr double kMaxCount = 0x1p53;

// Bytes a task writes: enough to outweigh handing it out, few enough to balance and to stay in the cache.
constexpr size_t kTaskBytes = size_t{256} << 10;

bool IsCount(double x) { return x >= 0 && x < kMaxCount && x == std::floor(x); }

std::string Refuse(const char* what, double given) {
  char text[160];
  std::snprintf(text, sizeof text, "expected %s, but received %.17g", what, given);
  return text;
}

// Everything a kernel will be handed must be a number the dtype can hold.
bool InRange(double x, Dtype dtype) { return std::isfinite(x) && std::fabs(x) <= FormatOf(dtype).max; }

std::string CheckMatrix(double rows, double cols, double stride, double offset, const Range& range) {
  const double count = static_cast<double>(range.count);
  if (!IsCount(rows)) return Refuse("rows to be a whole number", rows);
  if (!IsCount(cols)) return Refuse("cols to be a whole number", cols);
  if (!(IsCount(stride) && stride >= 1)) return Refuse("stride to be a whole number ≥ 1", stride);
  if (!IsCount(offset)) return Refuse("offset to be a whole number", offset);
  if (!(offset < stride)) return Refuse("offset to be less than stride", offset);
  if (range.begin != 0) return Refuse("begin to be 0 for a whole-matrix fill", static_cast<double>(range.begin));
  if (rows * cols * stride != count)
    return Refuse("rows·cols·stride to be the number of elements", rows * cols * stride);
  return {};
}

template <class Kernel>
void ForRanges(const Range& range, int threads, const CancelFlag& cancel, const Kernel& kernel) {
  const size_t step = kTaskBytes / DtypeBytes(range.dtype);
  if (range.count <= step) return kernel(range);
  // Tasks begin at multiples of the step within the fill, so that no tile is computed twice.
  const size_t lead = static_cast<size_t>(range.begin % step);
  const size_t tasks = (lead + range.count + step - 1) / step;
  ParallelFor(tasks, threads, [&](size_t task) {
    if (cancel.Requested()) return;
    const size_t begin = task == 0 ? 0 : task * step - lead;
    const size_t end = std::min(range.count, (task + 1) * step - lead);
    kernel(Part(range, begin, end - begin));
  });
}

}  // namespace

std::string CheckFill(const Fill& fill, const Range& range) {
  const double* p = fill.param;
  if (static_cast<double>(range.begin) + static_cast<double>(range.count) > kMaxCount) {
    return Refuse("begin plus the number of elements to be at most 2^53", static_cast<double>(range.begin));
  }
  switch (fill.kind) {
    case Kind::kConstant:
      if (std::isfinite(p[0]) && !InRange(p[0], range.dtype)) return Refuse("value to fit the dtype", p[0]);
      return {};
    case Kind::kUniform: {
      if (!InRange(p[0], range.dtype)) return Refuse("a to be finite and fit the dtype", p[0]);
      if (!InRange(p[1], range.dtype)) return Refuse("b to be finite and fit the dtype", p[1]);
      if (!(p[0] <= p[1])) return Refuse("a ≤ b", p[1]);
      if (!InRange(p[1] - p[0], range.dtype)) return Refuse("b − a to fit the dtype", p[1] - p[0]);
      const UniformParams u = PrepareUniform(p[0], p[1], range.dtype);
      if (p[0] < p[1] && !(u.low <= u.high)) return Refuse("[a, b) to hold a value of the dtype", p[0]);
      return {};
    }
    case Kind::kNormal:
      if (!InRange(p[0], range.dtype)) return Refuse("mean to be finite and fit the dtype", p[0]);
      if (!(InRange(p[1], range.dtype) && p[1] >= 0)) return Refuse("std to be finite, fit the dtype and be ≥ 0", p[1]);
      return {};
    case Kind::kTruncNormal: {
      for (int i = 0; i < 4; ++i) {
        if (!InRange(p[i], range.dtype)) return Refuse("mean, std, a and b to be finite and fit the dtype", p[i]);
      }
      if (!(p[1] > 0)) return Refuse("std > 0", p[1]);
      if (!(p[2] <= p[3])) return Refuse("a ≤ b", p[3]);
      if (!(RoundUp(p[2], range.dtype) <= RoundDown(p[3], range.dtype))) {
        return Refuse("[a, b] to hold a value of the dtype", p[2]);
      }
      return {};
    }
    case Kind::kDiagonal: {
      if (std::isfinite(p[0]) && !InRange(p[0], range.dtype)) return Refuse("value to fit the dtype", p[0]);
      for (int i = 1; i < 6; ++i) {
        if (!IsCount(p[i])) return Refuse("offset, step, count, groups and group_stride to be whole numbers", p[i]);
      }
      if (p[1] + p[2] * p[3] + p[4] * p[5] > kMaxCount) return Refuse("a diagonal within 2^53 elements", p[3]);
      return {};
    }
    case Kind::kOrthogonal:
      if (!InRange(p[2], range.dtype)) return Refuse("gain to be finite and fit the dtype", p[2]);
      return CheckMatrix(p[0], p[1], p[3], p[4], range);
    case Kind::kSparse:
      if (!(InRange(p[3], range.dtype) && p[3] >= 0)) return Refuse("std to be finite, fit the dtype and be ≥ 0", p[3]);
      if (!(IsCount(p[2]) && p[2] <= p[0])) return Refuse("zeros to be a whole number ≤ rows", p[2]);
      if (!(p[0] < 0x1p32 && p[1] < 0x1p32)) return Refuse("rows and cols below 2^32", std::max(p[0], p[1]));
      return CheckMatrix(p[0], p[1], 1, 0, range);
  }
  return "expected a known kind of fill";
}

namespace {

void Run(const Fill& fill, const Key& key, const Range& range, int threads, const CancelFlag& cancel) {
  const double* p = fill.param;
  const auto constant = [&](double value) {
    const uint64_t bits = ConstantBits(value, range.dtype);
    ForRanges(range, threads, cancel, [bits](const Range& part) { ConstantRange(bits, part); });
  };
  switch (fill.kind) {
    case Kind::kConstant:
      return constant(p[0]);
    case Kind::kUniform: {
      if (p[0] == p[1]) return constant(p[0]);
      const UniformParams params = PrepareUniform(p[0], p[1], range.dtype);
      return ForRanges(range, threads, cancel, [&](const Range& part) { UniformRange(params, key, part); });
    }
    case Kind::kNormal:
      return ForRanges(range, threads, cancel, [&](const Range& part) { NormalRange(p[0], p[1], key, part); });
    case Kind::kTruncNormal: {
      const TruncNormalParams params = PrepareTruncNormal(p[0], p[1], p[2], p[3], range.dtype);
      return ForRanges(range, threads, cancel, [&](const Range& part) { TruncNormalRange(params, key, part); });
    }
    case Kind::kDiagonal: {
      const auto whole = [p](int i) { return static_cast<uint64_t>(p[i]); };
      const Diagonals diagonals{whole(1), whole(2), whole(3), whole(4), whole(5)};
      const uint64_t bits = ConstantBits(p[0], range.dtype);
      return ForRanges(range, threads, cancel, [&](const Range& part) { DiagonalRange(diagonals, bits, part); });
    }
    case Kind::kOrthogonal: {
      const OrthogonalParams params{static_cast<uint64_t>(p[0]), static_cast<uint64_t>(p[1]), p[2],
                                    static_cast<uint64_t>(p[3]), static_cast<uint64_t>(p[4])};
      return OrthogonalFill(params, key, range.data, range.count, range.dtype, threads, cancel);
    }
    case Kind::kSparse: {
      const SparseParams params{static_cast<uint64_t>(p[0]), static_cast<uint64_t>(p[1]), static_cast<uint64_t>(p[2]),
                                p[3]};
      return SparseFill(params, key, range.data, range.dtype, threads, cancel);
    }
  }
}

}  // namespace

bool RunFill(const Fill& fill, const Key& key, const Range& range, int threads, const CancelFlag& cancel) {
  Range whole = range;
  if (ExceedsCaches(range.count, DtypeBytes(range.dtype))) whole.writers = std::max(range.writers, threads);
  AskForHugePages(range.data, range.count * DtypeBytes(range.dtype));
  if (range.count > 0) Run(fill, key, whole, threads, cancel);
  return !cancel.Requested();
}

}  // namespace nninit
