// One tile of normal values. Per-target code.
#if defined(NNINIT_KERNELS_NORMAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_NORMAL_INL_H_
#undef NNINIT_KERNELS_NORMAL_INL_H_
#else
#define NNINIT_KERNELS_NORMAL_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/math-inl.h"
#include "kernels/tiles-inl.h"
#include "types/fill.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

// Standard normals from two vectors of random words: 31 bits make the radius (up to 6.66), 32 the angle.
template <class D, IfFloat<D>* = nullptr, class VU = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE void NormalPair(D d, VU w1, VU w2, hn::Vec<D>& x, hn::Vec<D>& y) {
  const hn::RebindToSigned<D> di;
  const auto k = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<1>(w1)));
  const auto r2 = Minus2Log(d, hn::Add(k, hn::Set(d, 0.5f)));
  const auto v = hn::Mul(hn::ConvertTo(d, hn::BitCast(di, hn::ShiftLeft<1>(w2))), hn::Set(d, 0x1p-31f));
  BoxMuller(d, r2, v, hn::BitCast(d, w2), x, y);
}

// 53 bits make the radius (up to 8.65), 54 the angle.
template <class D, IfDouble<D>* = nullptr, class VU = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE void NormalPair(D d, VU w1, VU w2, hn::Vec<D>& x, hn::Vec<D>& y) {
  const hn::RebindToSigned<D> di;
  const auto k = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(w1)));
  const auto r2 = Minus2Log(d, hn::Add(k, hn::Set(d, 0.5)));
  const auto angle = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(hn::ShiftLeft<1>(w2))));
  const auto v = hn::Sub(hn::Mul(angle, hn::Set(d, 0x1p-52)), hn::Set(d, 1.0));
  BoxMuller(d, r2, v, hn::BitCast(d, w2), x, y);
}

template <class T>
struct NormalTile {
  using Compute = std::conditional_t<sizeof(T) == 8, double, float>;
  using Word = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  static constexpr size_t kHalf = kTileElements<T> / 2;

  explicit NormalTile(const NormalFill& fill)
      : mean(static_cast<Compute>(fill.mean)), std(static_cast<Compute>(fill.std)) {}

  HWY_INLINE void operator()(const uint32_t* HWY_RESTRICT words, uint64_t /*index*/, T* HWY_RESTRICT out) const {
    const hn::CappedTag<Compute, kHalf / 2> d;
    const hn::RebindToUnsigned<decltype(d)> du;
    const Word* HWY_RESTRICT w = reinterpret_cast<const Word*>(words);
    const auto vmean = hn::Set(d, mean);
    const auto vstd = hn::Set(d, std);
    const size_t lanes = hn::Lanes(d);
    for (size_t i = 0; i < kHalf; i += 2 * lanes) {
      auto x0 = hn::Zero(d);
      auto y0 = hn::Zero(d);
      auto x1 = hn::Zero(d);
      auto y1 = hn::Zero(d);
      NormalPair(d, hn::Load(du, w + i), hn::Load(du, w + kHalf + i), x0, y0);
      NormalPair(d, hn::Load(du, w + i + lanes), hn::Load(du, w + kHalf + i + lanes), x1, y1);
      StorePair(d, hn::Add(hn::Mul(x0, vstd), vmean), hn::Add(hn::Mul(x1, vstd), vmean), out + i);
      StorePair(d, hn::Add(hn::Mul(y0, vstd), vmean), hn::Add(hn::Mul(y1, vstd), vmean), out + kHalf + i);
    }
  }

  Compute mean, std;
};

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
