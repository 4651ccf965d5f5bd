#include "kernels/uniform.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/uniform.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/bfloat16-inl.h"
#include "kernels/tiles-inl.h"
#include "types/rounding.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

template <bool kClamp, class D>
HWY_INLINE hn::Vec<D> Clamp(D d, hn::Vec<D> x, hn::TFromD<D> low, hn::TFromD<D> high) {
  return kClamp ? hn::Min(hn::Max(x, hn::Set(d, low)), hn::Set(d, high)) : x;
}

template <class T, bool kClamp>
struct UniformTile {
  explicit UniformTile(const UniformParams& p)
      : a(static_cast<float>(p.a)),
        scale(static_cast<float>(p.scale)),
        low(static_cast<float>(p.low)),
        high(static_cast<float>(p.high)) {}

  HWY_INLINE void operator()(const uint32_t* HWY_RESTRICT words, uint64_t /*index*/, T* HWY_RESTRICT out) const {
    const hn::CappedTag<float, kTileWords / 2> d;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::RebindToUnsigned<decltype(d)> du;
    const auto uniform = [&](const uint32_t* HWY_RESTRICT word) HWY_ATTR {
      const auto k = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<8>(hn::Load(du, word))));
      const auto x = hn::Add(hn::Mul(k, hn::Set(d, scale)), hn::Set(d, a));
      return Clamp<kClamp>(d, x, low, high);
    };
    const size_t lanes = hn::Lanes(d);
    for (size_t i = 0; i < kTileWords; i += 2 * lanes) {
      StorePair(d, uniform(words + i), uniform(words + i + lanes), out + i);
    }
  }

  float a, scale, low, high;
};

template <bool kClamp>
struct UniformTile<double, kClamp> {
  explicit UniformTile(const UniformParams& params) : p(params) {}

  HWY_INLINE void operator()(const uint32_t* HWY_RESTRICT words, uint64_t /*index*/, double* HWY_RESTRICT out) const {
    const hn::CappedTag<double, kTileWords / 2> d;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::RebindToUnsigned<decltype(d)> du;
    const uint64_t* HWY_RESTRICT words64 = reinterpret_cast<const uint64_t*>(words);
    for (size_t i = 0; i < kTileWords / 2; i += hn::Lanes(d)) {
      const auto k = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(hn::Load(du, words64 + i))));
      const auto x = hn::Add(hn::Mul(k, hn::Set(d, p.scale)), hn::Set(d, p.a));
      hn::StoreU(Clamp<kClamp>(d, x, p.low, p.high), d, out + i);
    }
  }

  UniformParams p;
};

void Uniform(const UniformParams& params, const Key& key, const Range& range) {
  const bool normal = IsFarFromSubnormal(params.a) && IsFarFromSubnormal(params.scale) &&
                      IsFarFromSubnormal(params.low) && IsFarFromSubnormal(params.high);
  if (StoredNatively(range, normal, [&](auto* out) HWY_ATTR {
        ForTiles<false>(out, key, range, UniformTile<ElementOf<decltype(out)>, true>(params));
      })) {
    return;
  }
  WithElements(range.dtype, range.data, [&](auto* out) HWY_ATTR {
    using T = ElementOf<decltype(out)>;
    if constexpr (sizeof(T) > 2) {
      if (params.inside) return ForTiles<false>(out, key, range, UniformTile<T, false>(params));
    }
    ForTiles<false>(out, key, range, UniformTile<T, true>(params));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Uniform);

namespace {

// Whether k·scale + a, which does not fall as k grows to `last`, stays in [low, high].
template <class Compute>
bool StaysInside(const UniformParams& p, Compute last) {
  const Compute a = static_cast<Compute>(p.a);
  const Compute end = last * static_cast<Compute>(p.scale) + a;
  return a >= static_cast<Compute>(p.low) && end <= static_cast<Compute>(p.high);
}

}  // namespace

UniformParams PrepareUniform(const UniformFill& fill, Dtype dtype) {
  const auto [a, b] = fill;
  const bool wide = dtype == Dtype::kFloat64;
  const double width = b - a;
  // + 0: a zero without a sign, since targets disagree about the greater of −0 and 0.
  UniformParams p{a, width * (wide ? 0x1p-53 : 0x1p-24), RoundUp(a, dtype) + 0.0, LargestBelow(b, dtype) + 0.0, false};
  const bool stretches =
      wide ? std::fabs(p.scale * 0x1p53 - width) > kMostStretch * width : SingleStretches(p.scale, dtype);
  if (stretches || (!wide && SingleShifts(a, width))) {
    // What is narrower than float64's least normal numbers is made 2^200 times as wide.
    const double factor = wide ? 0x1p-200 : 1;
    const Detour detour{true, factor, p.low, p.high};
    p = {a / factor,
         width / factor * 0x1p-53,
         -std::numeric_limits<double>::infinity(),
         std::numeric_limits<double>::infinity(),
         true,
         detour};
    return p;
  }
  // Rounding to 16 bits leads out of most intervals.
  if (wide) p.inside = StaysInside(p, 0x1p53 - 1);
  if (dtype == Dtype::kFloat32) p.inside = StaysInside(p, 0x1p24f - 1);
  return p;
}

void UniformRange(const UniformParams& params, const Key& key, const Range& range) {
  const auto fill = [&](const Range& to) { HWY_DYNAMIC_DISPATCH(Uniform)(params, key, to); };
  if (!params.detour.needed) return fill(range);
  TakeDetour(params.detour, range, fill);
}

}  // namespace nninit
#endif
