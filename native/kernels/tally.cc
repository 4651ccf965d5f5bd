#include "kernels/tally.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tally.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "kernels/widen.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kLanes = 8;
constexpr size_t kBlock = 2048;

// What a block comes to: lane by lane, so that a target's own lanes do not show.
struct TallyLanes {
  double sum[kLanes], square[kLanes], min[kLanes], max[kLanes], zeros[kLanes];
};

using TallyD = hn::CappedTag<double, kLanes>;

HWY_INLINE hn::Vec<TallyD> LoadDoubles(TallyD d, const double* from) { return hn::LoadU(d, from); }
HWY_INLINE hn::Vec<TallyD> LoadDoubles(TallyD d, const float* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, TallyD>(), from));
}

// Elements lane, lane + 8, …; their bins go to `bins`, kTallyBins for what is in none.
template <bool leave_zeros, typename T>
HWY_INLINE void TallyLanesFrom(const T* from, size_t count, size_t lane, const TallyRange& range, TallyLanes* lanes,
                               int32_t* bins) {
  const TallyD d;
  const hn::Rebind<int32_t, TallyD> di;
  const auto zero = hn::Zero(d), one = hn::Set(d, 1.0), last = hn::Set(d, kTallyBins - 1.0);
  const auto shift = hn::Set(d, range.shift), low = hn::Set(d, range.low), scale = hn::Set(d, range.scale);
  auto sum = zero, square = zero, zeros = zero;
  auto min = hn::LoadU(d, lanes->min + lane), max = hn::LoadU(d, lanes->max + lane);
  for (size_t i = lane; i < count; i += kLanes) {
    const auto x = LoadDoubles(d, from + i);
    const auto is_zero = hn::Eq(x, zero);
    auto delta = hn::Sub(x, shift);
    auto bin = hn::Min(hn::Max(hn::Add(hn::Mul(hn::Sub(x, low), scale), one), zero), last);
    if (leave_zeros) {
      delta = hn::IfThenZeroElse(is_zero, delta);
      bin = hn::IfThenElse(is_zero, hn::Set(d, kTallyBins), bin);
      min = hn::IfThenElse(is_zero, min, hn::Min(min, x));
      max = hn::IfThenElse(is_zero, max, hn::Max(max, x));
    } else {
      min = hn::Min(min, x);
      max = hn::Max(max, x);
    }
    sum = hn::Add(sum, delta);
    square = hn::Add(square, hn::Mul(delta, delta));
    zeros = hn::Add(zeros, hn::IfThenElseZero(is_zero, one));
    hn::StoreU(hn::DemoteTo(di, bin), di, bins + i);
  }
  hn::StoreU(sum, d, lanes->sum + lane);
  hn::StoreU(square, d, lanes->square + lane);
  hn::StoreU(min, d, lanes->min + lane);
  hn::StoreU(max, d, lanes->max + lane);
  hn::StoreU(zeros, d, lanes->zeros + lane);
}

HWY_INLINE double SumOfLanes(const double* x) {
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

HWY_INLINE void TallyOne(double x, const TallyRange& range, Tally* tally) {
  if (std::isnan(x)) {
    tally->nan += 1;
    return;
  }
  if (std::isinf(x)) {
    tally->infinite += 1;
    return;
  }
  if (x == 0) tally->zeros += 1;
  if (x == 0 && range.leave_zeros) return;
  const double delta = x - range.shift;
  tally->count += 1;
  tally->sum += delta;
  tally->square += delta * delta;
  tally->min = std::min(tally->min, x + 0.0);  // never -0, which is as small as 0
  tally->max = std::max(tally->max, x + 0.0);
  const double bin = std::min(std::max((x - range.low) * range.scale + 1, 0.0), kTallyBins - 1.0);
  tally->bins[static_cast<size_t>(bin)] += 1;
}

template <bool leave_zeros, typename T>
HWY_INLINE void TallyBlock(const T* from, size_t count, const TallyRange& range, Tally* tally) {
  const size_t whole = count / kLanes * kLanes;
  HWY_ALIGN int32_t bins[kBlock];
  TallyLanes lanes;
  std::fill_n(lanes.min, kLanes, tally->min);
  std::fill_n(lanes.max, kLanes, tally->max);
  for (size_t lane = 0; lane < kLanes; lane += hn::Lanes(TallyD())) {
    TallyLanesFrom<leave_zeros>(from, whole, lane, range, &lanes, bins);
  }
  const double square = SumOfLanes(lanes.square);
  if (!std::isfinite(square)) {  // some element is not finite, or about to be so when squared
    for (size_t i = 0; i < count; ++i) TallyOne(static_cast<double>(from[i]), range, tally);
    return;
  }
  // Four tables: the next element often has the same bin, and would wait for the one before.
  uint32_t counts[4][kTallyBins + 1] = {};
  for (size_t i = 0; i < whole; i += 4) {
    for (size_t k = 0; k < 4; ++k) counts[k][bins[i + k]] += 1;
  }
  for (size_t bin = 0; bin < kTallyBins; ++bin) {
    tally->bins[bin] += static_cast<double>(counts[0][bin] + counts[1][bin] + counts[2][bin] + counts[3][bin]);
  }
  const double zeros = SumOfLanes(lanes.zeros);
  tally->count += static_cast<double>(whole) - (leave_zeros ? zeros : 0);
  tally->zeros += zeros;
  tally->sum += SumOfLanes(lanes.sum);
  tally->square += square;
  tally->min = *std::min_element(lanes.min, lanes.min + kLanes) + 0.0;
  tally->max = *std::max_element(lanes.max, lanes.max + kLanes) + 0.0;
  for (size_t i = whole; i < count; ++i) TallyOne(static_cast<double>(from[i]), range, tally);
}

template <typename T>
HWY_INLINE void TallyAll(const T* from, size_t count, const TallyRange& range, Tally* tally) {
  for (size_t i = 0; i < count; i += kBlock) {
    const size_t length = std::min(kBlock, count - i);
    if (range.leave_zeros) {
      TallyBlock<true>(from + i, length, range, tally);
    } else {
      TallyBlock<false>(from + i, length, range, tally);
    }
  }
}

void TallyFloats(const float* from, size_t count, const TallyRange& range, Tally* tally) {
  TallyAll(from, count, range, tally);
}

void TallyDoubles(const double* from, size_t count, const TallyRange& range, Tally* tally) {
  TallyAll(from, count, range, tally);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(TallyFloats);
HWY_EXPORT(TallyDoubles);

void AddToTally(const void* elements, size_t count, Dtype dtype, const TallyRange& range, Tally* tally) {
  switch (dtype) {
    case Dtype::kFloat32:
      HWY_DYNAMIC_DISPATCH(TallyFloats)(static_cast<const float*>(elements), count, range, tally);
      return;
    case Dtype::kFloat64:
      HWY_DYNAMIC_DISPATCH(TallyDoubles)(static_cast<const double*>(elements), count, range, tally);
      return;
    case Dtype::kFloat16:
    case Dtype::kBFloat16: {
      constexpr size_t kWide = 4096;  // in the first-level cache
      float wide[kWide];
      const auto* narrow = static_cast<const uint16_t*>(elements);
      for (size_t i = 0; i < count; i += kWide) {
        const size_t length = std::min(kWide, count - i);
        Widen(narrow + i, length, dtype, wide);
        HWY_DYNAMIC_DISPATCH(TallyFloats)(wide, length, range, tally);
      }
      return;
    }
  }
}

}  // namespace nninit
#endif
