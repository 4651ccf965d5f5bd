// Words of MT19937 to uniforms and normals, exactly as PyTorch computes them. Per-target code.
#if defined(NNINIT_TORCH_WORDS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_TORCH_WORDS_INL_H_
#undef NNINIT_TORCH_WORDS_INL_H_
#else
#define NNINIT_TORCH_WORDS_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>

#include "random/mt19937.h"
#include "system/simd.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Words as they are drawn.
template <class D>
HWY_INLINE hn::Vec<D> Tempered(D du, const uint32_t* HWY_RESTRICT words) {
  auto y = hn::LoadU(du, words);
  y = hn::Xor(y, hn::ShiftRight<11>(y));
  y = hn::Xor(y, hn::And(hn::ShiftLeft<7>(y), hn::Set(du, 0x9D2C5680u)));
  y = hn::Xor(y, hn::And(hn::ShiftLeft<15>(y), hn::Set(du, 0xEFC60000u)));
  return hn::Xor(y, hn::ShiftRight<18>(y));
}

// Uniforms in [0, 1) of 24 bits, one from each word.
template <class D>
HWY_INLINE hn::Vec<D> Uniform24(D d, const uint32_t* HWY_RESTRICT words) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const auto k = hn::And(Tempered(du, words), hn::Set(du, 0xFFFFFFu));
  return hn::Mul(hn::ConvertTo(d, hn::BitCast(di, k)), hn::Set(d, 0x1p-24f));
}

// Uniforms in [0, 1) of 53 bits, one from two words, of which the first is the high one.
template <class D>
HWY_INLINE hn::Vec<D> Uniform53(D d, const uint32_t* HWY_RESTRICT words) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
#if HWY_TARGET == HWY_SCALAR
  const auto w = hn::Set(du, (uint64_t{Temper(words[1])} << 32) | Temper(words[0]));
#else
  const hn::Repartition<uint32_t, D> d32;
  const auto w = hn::BitCast(du, Tempered(d32, words));
#endif
  const auto k = hn::And(hn::Or(hn::ShiftLeft<32>(w), hn::ShiftRight<32>(w)), hn::Set(du, (uint64_t{1} << 53) - 1));
  return hn::Mul(hn::ConvertTo(d, hn::BitCast(di, k)), hn::Set(d, 0x1p-53));
}

#if !HWY_NATIVE_FMA && !NNINIT_PLAIN_TARGET
// Not in plain C++, where Highway's conversion from float64 to float32 makes the largest number of what is beyond it:
// a·b + c with one rounding: the product of two float32 is exact in float64, and where the sum is not, its last bit is
// made odd, so that rounding it once more to float32 is right (Boldo and Melquiond 2008).
template <class D>
HWY_INLINE hn::Vec<D> FusedThroughDouble(D d, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> c) {
  const hn::Rebind<double, D> dd;
  const hn::RebindToUnsigned<decltype(dd)> du;
  const auto product = hn::Mul(hn::PromoteTo(dd, a), hn::PromoteTo(dd, b));
  const auto addend = hn::PromoteTo(dd, c);
  const auto sum = hn::Add(product, addend);
  const auto part = hn::Sub(sum, product);
  const auto error = hn::Add(hn::Sub(product, hn::Sub(sum, part)), hn::Sub(addend, part));
  const auto bits = hn::BitCast(du, sum);
  const auto one = hn::Set(du, uint64_t{1});
  const auto inexact = hn::RebindMask(du, hn::Ne(error, hn::Zero(dd)));
  const auto even = hn::Eq(hn::And(bits, one), hn::Zero(du));
  // The odd neighbour lies towards zero where the error has the other sign.
  const auto inwards = hn::ShiftRight<63>(hn::Xor(bits, hn::BitCast(du, error)));
  const auto odd = hn::Or(hn::Sub(bits, inwards), one);
  return hn::DemoteTo(d, hn::BitCast(dd, hn::IfThenElse(hn::And(inexact, even), odd, bits)));
}
#endif

#if !HWY_NATIVE_FMA
// The same through the C library, lane by lane.
template <class D>
HWY_INLINE hn::Vec<D> FusedThroughLibrary(D d, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> c) {
  HWY_ALIGN hn::TFromD<D> lanes[3][hn::MaxLanes(d)];
  hn::Store(a, d, lanes[0]);
  hn::Store(b, d, lanes[1]);
  hn::Store(c, d, lanes[2]);
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[0][i] = std::fma(lanes[0][i], lanes[1][i], lanes[2][i]);
  return hn::Load(d, lanes[0]);
}
#endif

// a·b + c with one rounding, on every target.
template <class D, hwy::EnableIf<sizeof(hn::TFromD<D>) == 8>* = nullptr>
HWY_INLINE hn::Vec<D> FusedMulAdd(HWY_MAYBE_UNUSED D d, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  return FusedThroughLibrary(d, a, b, c);
#endif
}

template <class D, hwy::EnableIf<sizeof(hn::TFromD<D>) == 4>* = nullptr>
HWY_INLINE hn::Vec<D> FusedMulAdd(HWY_MAYBE_UNUSED D d, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#elif NNINIT_PLAIN_TARGET
  return FusedThroughLibrary(d, a, b, c);
#else
  const hn::Half<D> dh;
  const auto low = FusedThroughDouble(dh, hn::LowerHalf(dh, a), hn::LowerHalf(dh, b), hn::LowerHalf(dh, c));
  const auto high = FusedThroughDouble(dh, hn::UpperHalf(dh, a), hn::UpperHalf(dh, b), hn::UpperHalf(dh, c));
  return hn::Combine(d, high, low);
#endif
}

// The natural logarithm in single precision of Cephes (Moshier), for 2^−24 ≤ x ≤ 1. PyTorch's compiler fuses every
// product with the sum it goes into, here and below, and of two products the one that was made last.
template <class D>
HWY_INLINE hn::Vec<D> CephesLog(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  const auto one = hn::Set(d, 1.0f);
  const auto bits = hn::BitCast(di, x);
  // x = m·2^e with m in [½, 1), then in [√½, √2).
  auto e = hn::ConvertTo(d, hn::Sub(hn::ShiftRight<23>(bits), hn::Set(di, 0x7E)));
  auto m = hn::BitCast(d, hn::Or(hn::And(bits, hn::Set(di, 0x7FFFFF)), hn::Set(di, 0x3F000000)));
  const auto small = hn::Lt(m, hn::Set(d, 0.707106781186547524f));
  e = hn::Sub(e, hn::IfThenElseZero(small, one));
  m = hn::Add(hn::Sub(m, one), hn::IfThenElseZero(small, m));
  const auto z = hn::Mul(m, m);
  auto y = hn::Set(d, 7.0376836292E-2f);
  const auto next = [&](float c) HWY_ATTR { y = FusedMulAdd(d, y, m, hn::Set(d, c)); };
  next(-1.1514610310E-1f);
  next(1.1676998740E-1f);
  next(-1.2420140846E-1f);
  next(1.4249322787E-1f);
  next(-1.6668057665E-1f);
  next(2.0000714765E-1f);
  next(-2.4999993993E-1f);
  next(3.3333331174E-1f);
  y = FusedMulAdd(d, hn::Mul(y, m), z, hn::Mul(e, hn::Set(d, -2.12194440e-4f)));
  // The products that follow are exact.
  y = hn::Sub(y, hn::Mul(z, hn::Set(d, 0.5f)));
  return hn::Add(hn::Add(m, y), hn::Mul(e, hn::Set(d, 0.693359375f)));
}

// Sine and cosine in single precision of Cephes, for 0 ≤ x < 2π.
template <class D>
HWY_INLINE void CephesSinCos(D d, hn::Vec<D> x, hn::Vec<D>& sine, hn::Vec<D>& cosine) {
  const hn::RebindToSigned<D> di;
  const auto octant = hn::ConvertTo(di, hn::Mul(x, hn::Set(d, 1.27323954473516f)));
  const auto j = hn::And(hn::Add(octant, hn::Set(di, 1)), hn::Set(di, ~1));
  const auto q = hn::ConvertTo(d, j);
  const auto sine_sign = hn::ShiftLeft<29>(hn::And(j, hn::Set(di, 4)));
  const auto cosine_sign = hn::ShiftLeft<29>(hn::AndNot(hn::Sub(j, hn::Set(di, 2)), hn::Set(di, 4)));
  const auto straight = hn::RebindMask(d, hn::Eq(hn::And(j, hn::Set(di, 2)), hn::Zero(di)));
  // The first two products are exact.
  auto r = hn::Add(x, hn::Mul(q, hn::Set(d, -0.78515625f)));
  r = hn::Add(r, hn::Mul(q, hn::Set(d, -2.4187564849853515625e-4f)));
  r = FusedMulAdd(d, q, hn::Set(d, -3.77489497744594108e-8f), r);
  const auto z = hn::Mul(r, r);

  auto c = hn::Set(d, 2.443315711809948E-005f);
  c = FusedMulAdd(d, c, z, hn::Set(d, -1.388731625493765E-003f));
  c = FusedMulAdd(d, c, z, hn::Set(d, 4.166664568298827E-002f));
  c = hn::Add(FusedMulAdd(d, hn::Mul(c, z), z, hn::Mul(z, hn::Set(d, -0.5f))), hn::Set(d, 1.0f));

  auto s = hn::Set(d, -1.9515295891E-4f);
  s = FusedMulAdd(d, s, z, hn::Set(d, 8.3321608736E-3f));
  s = FusedMulAdd(d, s, z, hn::Set(d, -1.6666654611E-1f));
  s = FusedMulAdd(d, hn::Mul(s, z), r, r);

  sine = hn::Xor(hn::IfThenElse(straight, s, c), hn::BitCast(d, sine_sign));
  cosine = hn::Xor(hn::IfThenElse(straight, c, s), hn::BitCast(d, cosine_sign));
}

// Eight pairs of uniforms to the sixteen normals of a block, as many at once as the vector holds.
template <class D>
HWY_INLINE void NormalPairs(D d, hn::Vec<D> u1, hn::Vec<D> u2, hn::Vec<D> mean, hn::Vec<D> std, hn::Vec<D>& x,
                            hn::Vec<D>& y) {
  const auto log = CephesLog(d, hn::Sub(hn::Set(d, 1.0f), u1));
  const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0f), log));
  auto sine = u2;
  auto cosine = u2;
  CephesSinCos(d, hn::Mul(hn::Set(d, 6.28318530717958647692f), u2), sine, cosine);
  x = FusedMulAdd(d, hn::Mul(radius, cosine), std, mean);
  y = FusedMulAdd(d, hn::Mul(radius, sine), std, mean);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
