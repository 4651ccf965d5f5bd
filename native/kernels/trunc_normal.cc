#include "kernels/trunc_normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/trunc_normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "kernels/normal-inl.h"
#include "kernels/normal_cdf.h"
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

// −2·ln of a uniform made of the upper 53 bits of a word.
HWY_INLINE double Minus2LogUniform(uint64_t word) {
  const hn::CappedTag<double, 1> d;
  return hn::GetLane(Minus2Log(d, hn::Set(d, static_cast<double>(word >> 11) + 0.5)));
}

// Candidates for element `index` until one is accepted, in double, from its own blocks. Acceptance is never below 0.3,
// so 256 refusals in a row do not happen; the bound that ends the loop then is the nearest to the mode.
HWY_INLINE double Redraw(const TruncNormalParams& p, const Key& key, uint64_t index) {
  const hn::CappedTag<double, 1> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  double z = p.alpha;
  for (uint64_t attempt = 0; attempt < 256; ++attempt) {
    const PhiloxBlock block = Philox(key, kAuxiliaryBlocks + (index << 8) + attempt);
    const uint64_t w1 = block.word[0] | (uint64_t{block.word[1]} << 32);
    const uint64_t w2 = block.word[2] | (uint64_t{block.word[3]} << 32);
    if (p.method == TruncMethod::kNormal) {
      auto x = hn::Zero(d);
      auto y = hn::Zero(d);
      NormalPair(d, hn::Set(du, w1), hn::Set(du, w2), x, y);
      z = hn::GetLane(x);
      if (z >= p.alpha && z <= p.beta) break;
    } else if (p.method == TruncMethod::kUniform) {
      z = p.alpha + static_cast<double>(w1 >> 11) * 0x1p-53 * (p.beta - p.alpha);
      if (Minus2LogUniform(w2) >= z * z - p.nearest2) break;
    } else {
      const double u = (static_cast<double>(w1 >> 11) + 0.5) * 0x1p-53;
      const double e = 0.5 * hn::GetLane(Minus2Log(d, hn::Set(d, (1 - u * p.mass) * 0x1p53))) / p.alpha;
      z = p.alpha + e;
      if (z <= p.beta && Minus2LogUniform(w2) >= e * e) break;
    }
    z = p.alpha;
  }
  return p.sign * z * p.std + p.mean;
}

template <class T>
struct QuantileTile {
  explicit QuantileTile(const TruncNormalParams& p)
      : first(p.first),
        width(p.width),
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
      const auto p = hn::Add(MultiplyHigh(du, hn::Load(du, word), hn::Set(du, width)), start);
      const auto x = hn::Mul(hn::ConvertTo(d, hn::BitCast(di, p)), hn::Set(d, 0x1p-31f));
      const auto v = hn::Add(hn::Mul(CentralQuantile(d, x), hn::Set(d, std)), hn::Set(d, mean));
      return hn::Min(hn::Max(v, hn::Set(d, low)), hn::Set(d, high));
    };
    const size_t lanes = hn::Lanes(d);
    for (size_t i = 0; i < kTileWords; i += 2 * lanes) {
      StorePair(d, quantile(words + i), quantile(words + i + lanes), out + i);
    }
  }

  uint32_t first, width;
  float mean, std, low, high;
};

template <class T>
struct NormalRedrawTile {
  using Compute = typename NormalTile<T>::Compute;

  NormalRedrawTile(const TruncNormalParams& params, const Key& k)
      : p(params), key(k), normal({params.mean, params.std}) {}

  HWY_INLINE void operator()(const uint32_t* HWY_RESTRICT words, uint64_t index, T* HWY_RESTRICT out) const {
    constexpr size_t kElements = kTileElements<T>;
    const hn::CappedTag<Compute, kElements> d;
    HWY_ALIGN Compute value[kElements];
    normal(words, index, value);
    const Compute inner_low = static_cast<Compute>(p.low_compute);
    const Compute inner_high = static_cast<Compute>(p.high_compute);
    for (size_t i = 0; i < kElements; i += hn::Lanes(d)) {
      auto v = hn::Load(d, value + i);
      const auto outside = hn::Or(hn::Lt(v, hn::Set(d, inner_low)), hn::Gt(v, hn::Set(d, inner_high)));
      if (HWY_UNLIKELY(!hn::AllFalse(d, outside))) {
        for (size_t j = i; j < i + hn::Lanes(d); ++j) {
          if (value[j] < inner_low || value[j] > inner_high) {
            value[j] = static_cast<Compute>(Redraw(p, key, index + j));
          }
        }
        v = hn::Load(d, value + i);
      }
      const auto low = hn::Set(d, static_cast<Compute>(p.low));
      const auto high = hn::Set(d, static_cast<Compute>(p.high));
      StoreAs(d, hn::Min(hn::Max(v, low), high), out + i);
    }
  }

  TruncNormalParams p;
  Key key;
  NormalTile<Compute> normal;
};

void TruncNormal(const TruncNormalParams& params, const Key& key, const Range& range) {
  switch (params.method) {
    case TruncMethod::kQuantile:
      return WithElements(range.dtype, range.data, [&](auto* out) HWY_ATTR {
        using T = ElementOf<decltype(out)>;
        // float64 never takes this way.
        if constexpr (sizeof(T) < 8) ForTiles(out, key, range, QuantileTile<T>(params));
      });
    case TruncMethod::kNormal:
      return WithElements(range.dtype, range.data, [&](auto* out) HWY_ATTR {
        ForTiles(out, key, range, NormalRedrawTile<ElementOf<decltype(out)>>(params, key));
      });
    case TruncMethod::kUniform:
    case TruncMethod::kExponential: {
      const size_t bytes = DtypeBytes(range.dtype);
      char* out = static_cast<char*>(range.data);
      for (size_t i = 0; i < range.count; ++i) {
        const double v = Redraw(params, key, range.begin + i);
        const double inside = v < params.low ? params.low : v > params.high ? params.high : v;
        const uint64_t bits = StorageBits(inside, range.dtype);
        std::memcpy(out + i * bytes, &bits, bytes);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(TruncNormal);

TruncNormalParams PrepareTruncNormal(const TruncNormalFill& fill, Dtype dtype) {
  const auto [mean, std, a, b] = fill;
  const Dtype compute = dtype == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
  TruncNormalParams p{};
  p.mean = mean;
  p.std = std;
  p.low = RoundUp(a, dtype);
  p.high = RoundDown(b, dtype);
  p.low_compute = RoundUp(a, compute);
  p.high_compute = RoundDown(b, compute);
  p.alpha = (a - mean) / std;
  p.beta = (b - mean) / std;
  p.sign = 1;
  const double cdf_alpha = NormalCdf(p.alpha);
  const double mass = NormalCdf(p.beta) - cdf_alpha;
  p.stretch = size_t{1} << 17;
  if (dtype != Dtype::kFloat64 && p.alpha >= -2.2 && p.beta <= 2.2 && mass >= 0x1p-8) {
    p.method = TruncMethod::kQuantile;
    p.first = static_cast<uint32_t>(cdf_alpha * 0x1p32);
    p.width = static_cast<uint32_t>(mass * 0x1p32);
    return p;
  }
  if (mass >= 0.3) {
    p.method = TruncMethod::kNormal;
    // A redrawn value takes a hundred times as long as others.
    if (mass < 0.9) p.stretch = size_t{1} << 13;
    return p;
  }
  p.stretch = size_t{1} << 13;
  if (p.alpha + p.beta < 0) {
    const double alpha = p.alpha;
    p.alpha = -p.beta;
    p.beta = -alpha;
    p.sign = -1;
  }
  const double nearest = p.alpha > 0 ? p.alpha : 0;
  p.nearest2 = nearest * nearest;
  const double reach = p.alpha * (p.beta - p.alpha);
  if (reach < 1) {
    p.method = TruncMethod::kUniform;
  } else {
    p.method = TruncMethod::kExponential;
    p.mass = 1 - ExpNonPositive(-reach);
  }
  return p;
}

void TruncNormalRange(const TruncNormalParams& params, const Key& key, const Range& range) {
  HWY_DYNAMIC_DISPATCH(TruncNormal)(params, key, range);
}

}  // namespace nninit
#endif
