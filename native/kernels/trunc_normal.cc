#include "kernels/trunc_normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/trunc_normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/bfloat16-inl.h"
#include "kernels/lanes_of_bits.h"
#include "kernels/normal-inl.h"
#include "kernels/normal.h"
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

// What a candidate is, and whether it is accepted: two words of each lane's block in, the value out. In double.
template <class D, class V = hn::Vec<D>, class VU = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE hn::Mask<D> Candidate(D d, const TruncNormalParams& p, VU w1, VU w2, V& value) {
  const hn::RebindToSigned<D> di;
  const auto upper = [&](VU w) HWY_ATTR { return hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(w))); };
  const auto set = [&](double x) HWY_ATTR { return hn::Set(d, x); };
  const auto place = [&](V z) HWY_ATTR { return hn::Add(hn::Mul(hn::Mul(set(p.sign), z), set(p.std)), set(p.mean)); };
  if (p.method == TruncMethod::kNormal) {
    V x = hn::Zero(d);
    V y = hn::Zero(d);
    NormalPair(d, w1, w2, x, y);
    value = place(x);
    return hn::And(hn::Ge(x, set(p.alpha)), hn::Le(x, set(p.beta)));
  }
  // −2·ln of a uniform made of the upper 53 bits of a word.
  const V limit = Minus2Log(d, hn::Add(upper(w2), set(0.5)));
  if (p.method == TruncMethod::kUniform) {
    const V at = hn::Mul(upper(w1), set(0x1p-53));
    if (p.from_bound) {
      const V e = hn::Mul(at, set(p.width_in_std));
      const V z = hn::Add(set(p.alpha), e);
      const V from_mode = p.alpha > 0 ? hn::Mul(e, hn::Add(e, set(2 * p.alpha))) : hn::Mul(z, z);
      value = hn::Add(set(p.nearest), hn::Mul(hn::Mul(set(p.sign), at), set(p.width)));
      return hn::Ge(limit, from_mode);
    }
    const V z = hn::Add(set(p.alpha), hn::Mul(at, set(p.beta - p.alpha)));
    value = place(z);
    return hn::Ge(limit, hn::Sub(hn::Mul(z, z), set(p.nearest2)));
  }
  const V u = hn::Mul(hn::Add(upper(w1), set(0.5)), set(0x1p-53));
  const V rest = hn::Mul(hn::Sub(set(1), hn::Mul(u, set(p.mass))), set(0x1p53));
  const V e = hn::Div(hn::Mul(set(0.5), Minus2Log(d, rest)), set(p.alpha));
  const auto dense = hn::Ge(limit, hn::Mul(e, e));
  if (p.from_bound) {
    value = hn::Add(set(p.nearest), hn::Mul(hn::Mul(set(p.sign), e), set(p.std)));
    return hn::And(dense, hn::Le(e, set(p.width_in_std)));
  }
  const V z = hn::Add(set(p.alpha), e);
  value = place(z);
  return hn::And(dense, hn::Le(z, set(p.beta)));
}

// Elements that are redrawn together, and those whose candidates are made at once.
constexpr size_t kRedrawn = 2048;
using RedrawTag = hn::CappedTag<double, 8>;
using PendingTag = hn::RebindToUnsigned<RedrawTag>;
constexpr size_t kRedrawVectors = 4;
constexpr size_t kRedrawnAtOnce = kRedrawVectors * hn::MaxLanes(RedrawTag());

// One bit for each lane, the first lane's the lowest. For at most 8 lanes, of AVX-512 16.
template <class D>
HWY_INLINE uint32_t BitsOf(HWY_MAYBE_UNUSED D d, hn::Mask<D> mask) {
#if NNINIT_AVX512
  return mask.raw;
#else
  uint8_t bits[8] = {};
  hn::StoreMaskBits(d, mask, bits);
  return bits[0];
#endif
}

// Stores first + i for each bit i that is set, in order, and then what nobody is to read: as many numbers as there are
// lanes. Returns how many were set. Without a branch on what is found, which nobody could predict.
template <class D32>
HWY_INLINE size_t StoreNumbers(D32 d32, uint32_t first, uint32_t bits, uint32_t* HWY_RESTRICT to) {
  const auto lanes = hn::LoadU(hn::Rebind<uint8_t, D32>(), kLanesOfBits.lane[bits]);
  hn::StoreU(hn::Add(hn::PromoteTo(d32, lanes), hn::Set(d32, first)), d32, to);
  return kLanesOfBits.count[bits];
}

// Keeps those of kCount numbers whose bits are set, in order, at `to`, and then what nobody is to read: as many as
// there were. Returns how many were set.
template <size_t kCount>
HWY_INLINE size_t KeepNumbers(const uint32_t* HWY_RESTRICT numbers, uint32_t bits, uint32_t* to) {
  size_t kept = 0;
#if NNINIT_AVX512
  static_assert(kCount % 8 == 0, "whole vectors");
  for (size_t i = 0; i < kCount; i += 8) {
    const auto mask = static_cast<__mmask8>(bits >> i);
    const __m256i those = _mm256_load_si256(reinterpret_cast<const __m256i*>(numbers + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + kept), _mm256_maskz_compress_epi32(mask, those));
    kept += hwy::PopCount(mask);
  }
#else
  for (size_t i = 0; i < kCount; ++i) {
    to[kept] = numbers[i];
    kept += bits >> i & 1;
  }
#endif
  return kept;
}

// Candidates of the given blocks, to `made`. Returns the bits of those that were refused, at most of the first `count`.
template <size_t kVectors>
HWY_INLINE uint32_t MakeCandidates(const TruncNormalParams& p, const Key& key, hn::Vec<PendingTag> (&blocks)[kVectors],
                                   size_t count, double* HWY_RESTRICT made) {
  const RedrawTag d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<PendingTag> w2[kVectors];
  PhiloxBlocks<kVectors>(key, blocks, w2);
  uint32_t accepted = 0;
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Vec<RedrawTag> candidate;
    accepted |= BitsOf(d, Candidate(d, p, blocks[v], w2[v], candidate)) << (v * lanes);
    hn::Store(candidate, d, made + v * lanes);
  }
  const size_t used = std::min(count, kVectors * lanes);
  return ~accepted & (~uint32_t{0} >> (32 - used));
}

// A first candidate for each of `count` elements from `first` on. The numbers of those that were refused go to
// `refused`. Returns how many. There is room for kRedrawnAtOnce more behind `refused`, and as many whole steps at
// `value`.
HWY_INLINE size_t DrawOnce(const TruncNormalParams& p, const Key& key, uint64_t first, size_t count,
                           uint32_t* HWY_RESTRICT refused, double* HWY_RESTRICT value) {
  const PendingTag du;
  const hn::Rebind<uint32_t, PendingTag> d32;
  const size_t lanes = hn::Lanes(du);
  auto at = hn::Iota(du, first);
  size_t kept = 0;
  for (size_t i = 0; i < count; i += kRedrawnAtOnce) {
    hn::Vec<PendingTag> blocks[kRedrawVectors];
    HWY_UNROLL(4)
    for (size_t v = 0; v < kRedrawVectors; ++v) {
      blocks[v] = hn::Add(hn::Set(du, kAuxiliaryBlocks), hn::ShiftLeft<8>(at));
      at = hn::Add(at, hn::Set(du, lanes));
    }
    const uint32_t bits = MakeCandidates(p, key, blocks, count - i, value + i);
    for (size_t v = 0; v < kRedrawVectors; ++v) {
      const uint32_t of_vector = bits >> (v * lanes) & ((1U << lanes) - 1);
      kept += StoreNumbers(d32, static_cast<uint32_t>(i + v * lanes), of_vector, refused + kept);
    }
  }
  return kept;
}

// Makes a candidate for each of the next elements of `pending`, of which `count` are left. Those that were refused are
// kept at `refused`, which may be where they came from. Returns how many.
template <size_t kVectors, class Compute>
HWY_INLINE size_t RedrawOnce(const TruncNormalParams& p, const Key& key, uint64_t first_block, const uint32_t* pending,
                             size_t count, uint32_t* refused, Compute* HWY_RESTRICT value) {
  const PendingTag du;
  const hn::Rebind<uint32_t, PendingTag> d32;
  const size_t lanes = hn::Lanes(du);
  constexpr size_t kCount = kVectors * hn::MaxLanes(RedrawTag());
  HWY_ALIGN double made[kCount];
  HWY_ALIGN uint32_t place[kCount];
  hn::Vec<PendingTag> blocks[kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    const auto at = hn::LoadU(d32, pending + v * lanes);
    hn::Store(at, d32, place + v * lanes);
    blocks[v] = hn::Add(hn::Set(du, first_block), hn::ShiftLeft<8>(hn::PromoteTo(du, at)));
  }
  const uint32_t bits = MakeCandidates(p, key, blocks, count, made);
  // What is refused will be written over.
  for (size_t j = 0; j < kCount; ++j) value[place[j]] = static_cast<Compute>(made[j]);
  return KeepNumbers<kCount>(place, bits, refused);
}

// Candidates for elements first + pending[i], in double, each from its own blocks, until one is accepted, from a number
// of the candidate on; value[pending[i]] is what became of it. Acceptance is never below 0.3, so 256 refusals in a row
// do not happen; the bound that ends the loop then is the nearest to the mode. There is room for kRedrawnAtOnce more
// behind `pending`, and for one element behind the kRedrawn of `value`.
template <class Compute>
HWY_NOINLINE void Redraw(const TruncNormalParams& p, const Key& key, uint64_t first, uint64_t attempt,
                         uint32_t* pending, size_t count, Compute* HWY_RESTRICT value) {
  for (; attempt < 256 && count > 0; ++attempt) {
    const uint64_t first_block = kAuxiliaryBlocks + (first << 8) + attempt;
    std::fill_n(pending + count, kRedrawnAtOnce, static_cast<uint32_t>(kRedrawn));
    size_t refused = 0;
    for (size_t i = 0; i < count;) {
      if (count - i <= hn::MaxLanes(RedrawTag())) {
        refused += RedrawOnce<1>(p, key, first_block, pending + i, count - i, pending + refused, value);
        break;
      }
      refused += RedrawOnce<kRedrawVectors>(p, key, first_block, pending + i, count - i, pending + refused, value);
      i += kRedrawnAtOnce;
    }
    count = refused;
  }
  const double last = p.from_bound ? p.nearest : p.sign * p.alpha * p.std + p.mean;
  for (size_t i = 0; i < count; ++i) value[pending[i]] = static_cast<Compute>(last);
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
      return hn::Min(hn::Max(v, hn::Set(d, low)), hn::Set(d, high));
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
    const auto low = hn::Set(d, static_cast<Compute>(p.low));
    const auto high = hn::Set(d, static_cast<Compute>(p.high));
    for (size_t i = 0; i < kElements; i += hn::Lanes(d))
      StoreAs(d, hn::Min(hn::Max(hn::Load(d, made + i), low), high), to + i);
  });
}

template <class D>
HWY_INLINE hn::Vec<hn::Rebind<float, D>> ToSingle(D /*d*/, hn::Vec<D> v) {
  const hn::Rebind<float, D> d32;
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d32, static_cast<float>(hn::GetLane(v)));  // Highway's would never be infinite
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
