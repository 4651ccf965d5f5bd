#include "kernels/trunc_normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/trunc_normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/bfloat16-inl.h"
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
constexpr size_t kRedrawn = 1024;
using RedrawTag = hn::CappedTag<double, 8>;
using PendingTag = hn::RebindToUnsigned<RedrawTag>;
constexpr size_t kRedrawVectors = 4;
constexpr size_t kRedrawnAtOnce = kRedrawVectors * hn::MaxLanes(RedrawTag());

// Keeps the lanes of the mask, in order, in front.
HWY_INLINE hn::Vec<PendingTag> Compressed(hn::Vec<PendingTag> v, hn::Mask<PendingTag> mask) {
#if NNINIT_AVX512
  // Highway copies a table to the stack for this.
  return hn::Vec<PendingTag>{_mm512_maskz_compress_epi64(mask.raw, v.raw)};
#else
  return hn::Compress(v, mask);
#endif
}

// Makes a candidate for each of the next elements of `pending`, of which `count` are left. Those that were refused are
// kept at `refused`, which may be where they came from. Returns how many.
template <size_t kVectors, class Compute>
HWY_INLINE size_t RedrawOnce(const TruncNormalParams& p, const Key& key, uint64_t first_block, const uint64_t* pending,
                             size_t count, uint64_t* refused, Compute* HWY_RESTRICT value) {
  const RedrawTag d;
  const PendingTag du;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN double made[kVectors * hn::MaxLanes(RedrawTag())];
  HWY_ALIGN uint64_t place[kVectors * hn::MaxLanes(RedrawTag())];
  hn::Vec<PendingTag> w1[kVectors], w2[kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    const auto at = hn::LoadU(du, pending + v * lanes);
    hn::Store(at, du, place + v * lanes);
    w1[v] = hn::Add(hn::Set(du, first_block), hn::ShiftLeft<8>(at));
  }
  PhiloxBlocks<kVectors>(key, w1, w2);
  size_t kept = 0;
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Vec<RedrawTag> candidate;
    const auto accepted = Candidate(d, p, w1[v], w2[v], candidate);
    hn::Store(candidate, d, made + v * lanes);
    const auto again = hn::AndNot(accepted, hn::FirstN(d, count - std::min(count, v * lanes)));
    const auto at = hn::Load(du, place + v * lanes);
    hn::StoreU(Compressed(at, hn::RebindMask(du, again)), du, refused + kept);
    kept += hn::CountTrue(d, again);
  }
  // What is refused will be written over.
  for (size_t j = 0; j < kVectors * lanes; ++j) value[place[j]] = static_cast<Compute>(made[j]);
  return kept;
}

// Candidates for elements first + pending[i], in double, each from its own blocks, until one is accepted;
// value[pending[i]] is what became of it. Acceptance is never below 0.3, so 256 refusals in a row do not happen; the
// bound that ends the loop then is the nearest to the mode. There is room for kRedrawnAtOnce more behind `pending`, and
// for one element behind the kRedrawn of `value`.
template <class Compute>
HWY_NOINLINE void Redraw(const TruncNormalParams& p, const Key& key, uint64_t first, uint64_t* pending, size_t count,
                         Compute* HWY_RESTRICT value) {
  for (uint64_t attempt = 0; attempt < 256 && count > 0; ++attempt) {
    const uint64_t first_block = kAuxiliaryBlocks + (first << 8) + attempt;
    std::fill_n(pending + count, kRedrawnAtOnce, kRedrawn);
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

// Makes tiles of normals, and redraws what is not within the bounds: in several tiles at a time, so that the vectors of
// candidates are full.
template <class T>
void FillByNormals(const TruncNormalParams& p, const Key& key, const Range& range, T* out) {
  using Compute = typename NormalTile<T>::Compute;
  constexpr size_t kElements = kTileElements<T>;
  constexpr size_t kTiles = kRedrawn / kElements;
  const NormalTile<Compute> normal({p.mean, p.std});
  HWY_ALIGN Compute value[kRedrawn + 1];
  HWY_ALIGN uint64_t pending[kRedrawn + kRedrawnAtOnce];
  const hn::CappedTag<Compute, kElements> d;
  const size_t lanes = hn::Lanes(d);
  const auto make = [&](uint64_t first, uint64_t count, const auto& each) HWY_ATTR {
    const auto inner_low = hn::Set(d, static_cast<Compute>(p.low_compute));
    const auto inner_high = hn::Set(d, static_cast<Compute>(p.high_compute));
    for (uint64_t done = 0, tiles; done < count; done += tiles) {
      const uint64_t tile = first + done;
      tiles = std::min<uint64_t>(kTiles, count - done);
      ForEachTile(key, tile, tiles, [&](const uint32_t* HWY_RESTRICT words, uint64_t t) HWY_ATTR {
        normal(words, t, value + (t - tile) * kElements);
      });
      size_t outside_count = 0;
      for (size_t i = 0; i < tiles * kElements; i += lanes) {
        const auto v = hn::Load(d, value + i);
        const auto outside = hn::Or(hn::Lt(v, inner_low), hn::Gt(v, inner_high));
        if (HWY_LIKELY(hn::AllFalse(d, outside))) continue;
        uint8_t bits[8] = {};
        hn::StoreMaskBits(d, outside, bits);
        for (uint32_t set = bits[0] | uint32_t{bits[1]} << 8; set != 0; set &= set - 1) {
          pending[outside_count++] = i + static_cast<size_t>(hwy::Num0BitsBelowLS1Bit_Nonzero32(set));
        }
      }
      Redraw(p, key, tile * kElements, pending, outside_count, value);
      for (size_t t = 0; t < tiles; ++t) each(value + t * kElements, tile + t);
    }
  };
  ForTilesOf(out, range, make, [&](const Compute* HWY_RESTRICT made, uint64_t /*index*/, T* HWY_RESTRICT to) HWY_ATTR {
    const auto low = hn::Set(d, static_cast<Compute>(p.low));
    const auto high = hn::Set(d, static_cast<Compute>(p.high));
    for (size_t i = 0; i < kElements; i += lanes)
      StoreAs(d, hn::Min(hn::Max(hn::Load(d, made + i), low), high), to + i);
  });
}

// The float that rounds to what x rounds to in any narrower type: x itself, or the neighbour with an odd last bit.
HWY_INLINE float RoundToOdd(double x) {
  float single = static_cast<float>(x);
  const double back = static_cast<double>(single);
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  const uint32_t moves = static_cast<uint32_t>(back != x) & ~bits & 1u;  // without branches, which nobody could predict
  bits += moves * (2 * static_cast<uint32_t>(std::fabs(x) > std::fabs(back)) - 1);
  std::memcpy(&single, &bits, sizeof single);
  return single;
}

HWY_INLINE void StoreOne(double v, double* HWY_RESTRICT to) { *to = v; }

HWY_INLINE void StoreOne(double v, float* HWY_RESTRICT to) { *to = static_cast<float>(v); }

template <class T>
HWY_INLINE void StoreOne(double v, T* HWY_RESTRICT to) {
  const hn::CappedTag<float, 1> d;
  StoreAs(d, hn::Set(d, RoundToOdd(v)), to);
}

template <class T>
void FillByRedraws(const TruncNormalParams& p, const Key& key, const Range& range, T* out) {
  HWY_ALIGN double value[kRedrawn + 1];
  HWY_ALIGN uint64_t pending[kRedrawn + kRedrawnAtOnce];
  for (size_t done = 0, count; done < range.count; done += count) {
    count = std::min(range.count - done, kRedrawn);
    for (size_t i = 0; i < count; ++i) pending[i] = i;
    Redraw(p, key, range.begin + done, pending, count, value);
    for (size_t i = 0; i < count; ++i) StoreOne(std::min(std::max(value[i], p.low), p.high), out + done + i);
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
