#include "kernels/trunc_normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/trunc_normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/bfloat16-inl.h"
#include "kernels/normal-inl.h"
#include "kernels/normal.h"
#include "kernels/redraw-inl.h"
#include "kernels/within-inl.h"
#include "types/rounding.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

// High halves of the products of all lanes.
template <class D32, class V = hn::Vec<D32>>
HWY_INLINE V MultiplyHigh(D32 d, V a, V b) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d, static_cast<uint32_t>((uint64_t{hn::GetLane(a)} * hn::GetLane(b)) >> 32));
#else
  const hn::RepartitionToWide<D32> d64;
  const V even = hn::BitCast(d, hn::ShiftRight<32>(hn::MulEven(a, b)));
  const V odd = hn::BitCast(d, hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), b));
  return hn::OddEven(odd, even);
#endif
}

template <class T>
struct QuantileTile {
  explicit QuantileTile(const TruncNormalParams& p)
      : first(p.first),
        share(p.share),
        mean(static_cast<float>(p.mean)),
        std(static_cast<float>(p.std)),
        low(static_cast<float>(p.low)),
        high(static_cast<float>(p.high)) {}

  HWY_INLINE void operator()(const uint32_t* HWY_RESTRICT words, uint64_t /*index*/, T* HWY_RESTRICT out) const {
    const hn::CappedTag<float, kTileWords / 2> d;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::RebindToUnsigned<decltype(d)> du;
    // Probabilities in units of 2^−32, offset so that the median is 0.
    const auto start = hn::Set(du, first - 0x80000000u);
    const auto quantile = [&](const uint32_t* HWY_RESTRICT word) HWY_ATTR {
      const auto p = hn::Add(MultiplyHigh(du, hn::Load(du, word), hn::Set(du, share)), start);
      const auto x = hn::Mul(hn::ConvertTo(d, hn::BitCast(di, p)), hn::Set(d, 0x1p-31f));
      const auto v = hn::Add(hn::Mul(CentralQuantile(d, x), hn::Set(d, std)), hn::Set(d, mean));
      return Within(d, v, low, high);
    };
    const size_t lanes = hn::Lanes(d);
    for (size_t i = 0; i < kTileWords; i += 2 * lanes) {
      StorePair(d, quantile(words + i), quantile(words + i + lanes), out + i);
    }
  }

  uint32_t first, share;
  float mean, std, low, high;
};

// Stores the places of the values outside of [low, high], and up to a vector more. Returns how many they are. On its
// own, since the kernel's loops leave no registers.
template <class D, class Compute = hn::TFromD<D>>
HWY_NOINLINE size_t PlacesOutside(D d, const Compute* HWY_RESTRICT value, size_t count, Compute low, Compute high,
                                  uint32_t* HWY_RESTRICT places) {
  const hn::Rebind<uint32_t, D> d32;
  size_t found = 0;
#if NNINIT_AVX512
  auto place = hn::Iota(d32, 0);
#endif
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto v = hn::Load(d, value + i);
    // One comparison, since masks are what takes the time.
    const auto outside = hn::Ne(v, hn::Min(hn::Max(v, hn::Set(d, low)), hn::Set(d, high)));
#if NNINIT_AVX512
    // Highway copies a table to the stack for this.
    auto those = place;
    if constexpr (sizeof(Compute) == 8) {
      those.raw = _mm256_maskz_compress_epi32(outside.raw, place.raw);
    } else {
      those.raw = _mm512_maskz_compress_epi32(outside.raw, place.raw);
    }
    hn::StoreU(those, d32, places + found);
    found += hn::CountTrue(d, outside);
    place = hn::Add(place, hn::Set(d32, static_cast<uint32_t>(hn::Lanes(d))));
#else
    // Where few are outside, the branch is foreseen.
    if (found * 32 <= i && HWY_LIKELY(hn::AllFalse(d, outside))) continue;
    found += StoreNumbers(d32, static_cast<uint32_t>(i), BitsOf(d, outside), places + found);
#endif
  }
  return found;
}

// Makes tiles of normals, and redraws what is not within the bounds: in several tiles at a time, so that the vectors of
// candidates are full.
template <class T>
void FillByNormals(const TruncNormalParams& p, const Key& key, const Range& range, T* out) {
  using Compute = typename NormalTile<T>::Compute;
  constexpr size_t kElements = kTileElements<T>;
  constexpr size_t kTiles = kRedrawn / kElements;
  const NormalTile<Compute> normal({p.mean, p.std});
  HWY_ALIGN Compute value[kRedrawn + 1];
  HWY_ALIGN uint32_t pending[kRedrawn + kRedrawnAtOnce];
  const hn::CappedTag<Compute, kElements> d;
  const auto make = [&](uint64_t first, uint64_t count, const auto& each) HWY_ATTR {
    for (uint64_t done = 0, tiles; done < count; done += tiles) {
      const uint64_t tile = first + done;
      tiles = std::min<uint64_t>(kTiles, count - done);
      ForEachTile(key, tile, tiles, [&](const uint32_t* HWY_RESTRICT words, uint64_t t) HWY_ATTR {
        normal(words, t, value + (t - tile) * kElements);
      });
      const size_t outside = PlacesOutside(d, value, tiles * kElements, static_cast<Compute>(p.low_compute),
                                           static_cast<Compute>(p.high_compute), pending);
      Redraw(p, key, tile * kElements, 0, pending, outside, value);
      for (size_t t = 0; t < tiles; ++t) each(value + t * kElements, tile + t);
    }
  };
  ForTilesOf(out, range, make, [&](const Compute* HWY_RESTRICT made, uint64_t /*index*/, T* HWY_RESTRICT to) HWY_ATTR {
    const auto low = static_cast<Compute>(p.low);
    const auto high = static_cast<Compute>(p.high);
    for (size_t i = 0; i < kElements; i += hn::Lanes(d))
      StoreAs(d, Within(d, hn::Load(d, made + i), low, high), to + i);
  });
}

template <class D>
HWY_INLINE hn::Vec<hn::Rebind<float, D>> ToSingle(HWY_MAYBE_UNUSED D d, hn::Vec<D> v) {
  const hn::Rebind<float, D> d32;
#if NNINIT_PLAIN_TARGET  // Highway's would never be infinite
  HWY_ALIGN double wide[hn::MaxLanes(D())];
  HWY_ALIGN float single[hn::MaxLanes(D())];
  hn::Store(v, d, wide);
  for (size_t i = 0; i < hn::MaxLanes(D()); ++i) single[i] = static_cast<float>(wide[i]);
  return hn::Load(d32, single);
#else
  return hn::DemoteTo(d32, v);
#endif
}

// The floats that round to what the lanes round to in any narrower type: themselves, or the neighbours with an odd last
// bit.
template <class D>
HWY_INLINE hn::Vec<hn::Rebind<float, D>> RoundToOdd(D d, hn::Vec<D> v) {
  const hn::Rebind<float, D> d32;
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToUnsigned<decltype(d32)> du32;
  const auto nearest = ToSingle(d, v);
  const auto back = hn::PromoteTo(d, nearest);
  const auto bits = hn::PromoteTo(du, hn::BitCast(du32, nearest));
  const auto even = hn::Eq(hn::And(bits, hn::Set(du, 1)), hn::Zero(du));
  const auto moves = hn::And(hn::RebindMask(du, hn::Ne(back, v)), even);
  const auto outwards = hn::RebindMask(du, hn::Gt(hn::Abs(v), hn::Abs(back)));
  const auto odd = hn::Add(bits, hn::IfThenElse(outwards, hn::Set(du, 1), hn::Set(du, ~uint64_t{0})));
  return hn::BitCast(d32, hn::TruncateTo(du32, hn::IfThenElse(moves, odd, bits)));
}

template <class D>
HWY_INLINE void StoreDoubles(D d, hn::Vec<D> v, double* HWY_RESTRICT to) {
  hn::StoreU(v, d, to);
}

template <class D>
HWY_INLINE void StoreDoubles(D d, hn::Vec<D> v, float* HWY_RESTRICT to) {
  hn::StoreU(ToSingle(d, v), hn::Rebind<float, D>(), to);
}

template <class D, class T>
HWY_INLINE void StoreDoubles(D d, hn::Vec<D> v, T* HWY_RESTRICT to) {
  StoreAs(hn::Rebind<float, D>(), RoundToOdd(d, v), to);
}

template <class T>
void FillByRedraws(const TruncNormalParams& p, const Key& key, const Range& range, T* out) {
  HWY_ALIGN double value[kRedrawn + hn::MaxLanes(RedrawTag())];
  HWY_ALIGN uint32_t pending[kRedrawn + kRedrawnAtOnce];
  HWY_ALIGN T stored[hn::MaxLanes(RedrawTag())];
  const RedrawTag d;
  const size_t lanes = hn::Lanes(d);
  for (size_t done = 0, count; done < range.count; done += count) {
    count = std::min(range.count - done, kRedrawn);
    const size_t refused = DrawOnce(p, key, range.begin + done, count, pending, value);
    Redraw(p, key, range.begin + done, 1, pending, refused, value);
    std::fill_n(value + count, lanes, 0.0);
    for (size_t i = 0; i < count; i += lanes) {
      // Not by minimum and maximum, since targets disagree about those of −0 and 0.
      const auto low = hn::Set(d, p.low);
      const auto high = hn::Set(d, p.high);
      auto v = hn::Load(d, value + i);
      v = hn::IfThenElse(hn::Lt(v, low), low, v);
      v = hn::IfThenElse(hn::Gt(v, high), high, v);
      if (HWY_LIKELY(count - i >= lanes)) {
        StoreDoubles(d, v, out + done + i);
      } else {
        StoreDoubles(d, v, stored);
        std::memcpy(out + done + i, stored, (count - i) * sizeof(T));
      }
    }
  }
}

void TruncNormal(const TruncNormalParams& params, const Key& key, const Range& range) {
  switch (params.method) {
    case TruncMethod::kQuantile: {
      const bool normal = IsFarFromSubnormal(params.mean) && IsFarFromSubnormal(params.std) &&
                          IsFarFromSubnormal(params.low) && IsFarFromSubnormal(params.high);
      if (StoredNatively(range, normal, [&](auto* out) HWY_ATTR {
            ForTiles(out, key, range, QuantileTile<ElementOf<decltype(out)>>(params));
          })) {
        return;
      }
      return WithElements(range.dtype, range.data, [&](auto* out) HWY_ATTR {
        using T = ElementOf<decltype(out)>;
        // float64 never takes this way.
        if constexpr (sizeof(T) < 8) ForTiles(out, key, range, QuantileTile<T>(params));
      });
    }
    case TruncMethod::kNormal:
      if (params.all_redrawn) break;
      return WithElements(range.dtype, range.data, [&](auto* out) HWY_ATTR { FillByNormals(params, key, range, out); });
    case TruncMethod::kUniform:
    case TruncMethod::kExponential:
      break;
  }
  WithElements(range.dtype, range.data, [&](auto* out) HWY_ATTR { FillByRedraws(params, key, range, out); });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(TruncNormal);

void TruncNormalRange(const TruncNormalParams& params, const Key& key, const Range& range) {
  const auto fill = [&](const Range& to) { HWY_DYNAMIC_DISPATCH(TruncNormal)(params, key, to); };
  if (!params.detour.needed) return fill(range);
  TakeDetour(params.detour, range, fill);
}

}  // namespace nninit
#endif
