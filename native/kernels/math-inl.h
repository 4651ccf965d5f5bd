// Logarithm, sine, cosine and quantile for the kernels, and rounding to the storage types.
//
// Only +, -, ×, ÷, √ of IEEE 754 and integer operations, each rounded on its own, in a fixed order: every target gives
// the same bits, with or without a fused multiply-add. Errors are maxima over the stated domain, relative unless said
// otherwise; docs/accuracy.md has them in full, as scripts/accuracy finds them.
#if defined(NNINIT_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_MATH_INL_H_
#undef NNINIT_KERNELS_MATH_INL_H_
#else
#define NNINIT_KERNELS_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using IfFloat = std::enable_if_t<sizeof(hn::TFromD<D>) == 4>;
template <class D>
using IfDouble = std::enable_if_t<sizeof(hn::TFromD<D>) == 8>;

// Terms kBegin … kBegin + kCount − 1 of a polynomial, divided by x^kBegin; powers[k] = x^(2^k).
template <size_t kBegin, size_t kCount, class D, class V = hn::Vec<D>, class T = hn::TFromD<D>>
HWY_INLINE V Estrin(D d, V x1, V x2, V x4, const T* HWY_RESTRICT c) {
  if constexpr (kCount == 1) {
    return hn::Set(d, c[kBegin]);
  } else {
    constexpr size_t kHalf = kCount > 4 ? 4 : kCount > 2 ? 2 : 1;
    const V low = Estrin<kBegin, kHalf>(d, x1, x2, x4, c);
    const V high = Estrin<kBegin + kHalf, kCount - kHalf>(d, x1, x2, x4, c);
    return hn::Add(low, hn::Mul(high, kHalf == 4 ? x4 : kHalf == 2 ? x2 : x1));
  }
}

// Σ c[i]·x^i for at most 8 coefficients by Estrin's scheme, whose short dependency chains suit wide machines.
template <class D, class V = hn::Vec<D>, class T = hn::TFromD<D>, size_t kN>
HWY_INLINE V Polynomial(D d, V x, const T (&c)[kN]) {
  static_assert(kN <= 8, "needs x^8");
  const V x2 = kN > 2 ? hn::Mul(x, x) : x;
  const V x4 = kN > 4 ? hn::Mul(x2, x2) : x;
  return Estrin<0, kN>(d, x, x2, x4, c);
}

// ---- float32

// −2·ln(x·2^−31) for x in [0.5, 2^31], and 0 at x = 2^31. Error 3.8e-7.
template <class D, IfFloat<D>* = nullptr>
HWY_INLINE hn::Vec<D> Minus2Log(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  // x = m·2^(e+31) with m in [√½, √2): subtracting √½'s bits makes the exponent field flip there.
  constexpr int32_t kSqrtHalf = 0x3F3504F3;
  const auto bits = hn::Sub(hn::BitCast(di, x), hn::Set(di, kSqrtHalf + (31 << 23)));
  const auto e = hn::ConvertTo(d, hn::ShiftRight<23>(bits));
  const auto m = hn::BitCast(d, hn::Add(hn::And(bits, hn::Set(di, 0x7FFFFF)), hn::Set(di, kSqrtHalf)));
  const auto f = hn::Sub(m, hn::Set(d, 1.0f));
  // Minimax for −2·ln(1+f)/f on [√½ − 1, √2 − 1], error 1.7e-7.
  constexpr float kP[] = {-0x1.fffffep+0f, 0x1.00007ap+0f, -0x1.5559dep-1f, 0x1.ff61eap-2f,
                          -0x1.978d9cp-2f, 0x1.614f3ap-2f, -0x1.4c422cp-2f, 0x1.9df392p-3f};
  const auto p = hn::Mul(Polynomial(d, f, kP), f);
  return hn::Add(hn::Mul(e, hn::Set(d, -0x1.62e430p+0f)), p);  // −2·ln 2
}

// √2·sin(v·π/4) and √2·cos(v·π/4) for v in [−1, 1]. Error 2e-7.
template <class D, IfFloat<D>* = nullptr>
HWY_INLINE void HalfAngle(D d, hn::Vec<D> v, hn::Vec<D>& s, hn::Vec<D>& c) {
  constexpr float kS[] = {0x1.1c5832p+0f, -0x1.d3ba3ep-4f, 0x1.cd8e5ap-9f, -0x1.aa7d8cp-15f};  // minimax, 3.3e-9
  constexpr float kC[] = {0x1.6a09e6p+0f, -0x1.bea55ap-2f, 0x1.6f3ea6p-6f, -0x1.d8a514p-12f};  // minimax, 3.3e-8
  const auto z = hn::Mul(v, v);
  s = hn::Mul(Polynomial(d, z, kS), v);
  c = Polynomial(d, z, kC);
}

// The standard normal quantile of (1 + x)/2 for |x| ≤ erf(2.2/√2), that is √2·erfinv(x). Error 9e-7.
template <class D, IfFloat<D>* = nullptr>
HWY_INLINE hn::Vec<D> CentralQuantile(D d, hn::Vec<D> x) {
  const auto one = hn::Set(d, 1.0f);
  const auto y = hn::Mul(hn::Sub(one, x), hn::Add(one, x));
  // Rational minimax in y = 1 − x² for √2·erfinv(x)/x, error 3.1e-7.
  constexpr float kN[] = {3.19833745701f, 182.134840821f, 1349.54396784f, 1636.22794252f, 178.618709706f};
  constexpr float kD[] = {1.0f, 76.3995586613f, 768.316879394f, 1435.75803914f, 391.217614582f};
  return hn::Mul(x, hn::Div(Polynomial(d, y, kN), Polynomial(d, y, kD)));
}

// ---- float64

// −2·ln(x·2^−53) for x in [0.5, 2^53], and 0 at x = 2^53. Error 6e-16.
template <class D, IfDouble<D>* = nullptr>
HWY_INLINE hn::Vec<D> Minus2Log(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToUnsigned<D> du;
  constexpr int64_t kSqrtHalf = 0x3FE6A09E667F3BCD;
  constexpr int64_t kBias = 1024;  // keeps the shifted exponent positive, since 64-bit arithmetic shifts are slow
  const auto bits = hn::Add(hn::BitCast(di, x), hn::Set(di, (kBias - 53) * (int64_t{1} << 52) - kSqrtHalf));
  const auto e_bits = hn::ShiftRight<52>(hn::BitCast(du, bits));
  // Small integers to double without a conversion: glue them under 2^52.
  const auto magic = hn::Set(du, 0x4330000000000000u);
  const auto e = hn::Sub(hn::BitCast(d, hn::Or(e_bits, magic)), hn::Set(d, 0x1p52 + static_cast<double>(kBias)));
  const auto m = hn::BitCast(d, hn::Add(hn::And(bits, hn::Set(di, 0xFFFFFFFFFFFFF)), hn::Set(di, kSqrtHalf)));
  const auto f = hn::Sub(m, hn::Set(d, 1.0));
  const auto s = hn::Div(f, hn::Add(f, hn::Set(d, 2.0)));
  // ln(1 + f) = 2·atanh(s); minimax for −4·atanh(s)/s in s², error 1.2e-18.
  constexpr double kA[] = {-0x1.0000000000000p+2, -0x1.55555555555aep+0, -0x1.999999997ac3cp-1, -0x1.2492494532f38p-1,
                           -0x1.c71c4fe8cb3b5p-2, -0x1.74669de3de2f3p-2, -0x1.39994e1fe8b0cp-2, -0x1.2f51d4a64f4fbp-2};
  const auto p = hn::Mul(Polynomial(d, hn::Mul(s, s), kA), s);
  // −2·ln 2 in two parts, the first short enough for e·part to be exact.
  const auto hi = hn::Mul(e, hn::Set(d, -0x1.62e42fefa0000p+0));
  const auto lo = hn::Mul(e, hn::Set(d, -0x1.cf79abc9e3b3ap-39));
  return hn::Add(hi, hn::Add(lo, p));
}

// √2·sin(v·π/4) and √2·cos(v·π/4) for v in [−1, 1]. Error 5e-16.
template <class D, IfDouble<D>* = nullptr>
HWY_INLINE void HalfAngle(D d, hn::Vec<D> v, hn::Vec<D>& s, hn::Vec<D>& c) {
  constexpr double kS[] = {0x1.1c5831add62e4p+0,  -0x1.d3ba5c1c5f464p-4,  0x1.cda106381db5bp-9, -0x1.b1e9f347f0973p-15,
                           0x1.dbd6f6a24e4ffp-22, -0x1.55889d5129c9ap-29, 0x1.5631390ba7d9ap-37};  // minimax, 3.4e-18
  constexpr double kC[] = {0x1.6a09e667f3bcdp+0,   -0x1.bea5b6072b262p-2, 0x1.6f5a49b297df9p-6,
                           -0x1.e36ab0c134408p-12, 0x1.54cb8f4c2b42ap-18, -0x1.2afa98fe220a0p-25,
                           0x1.65a71323b8e8bp-33,  -0x1.3320ea03a3b73p-41};  // minimax, 3.6e-20
  const auto z = hn::Mul(v, v);
  s = hn::Mul(Polynomial(d, z, kS), v);
  c = Polynomial(d, z, kC);
}

// ---- both

// Box and Muller's transform of r2 = −2·ln u1 and an angle θ = v·π/2, v in [−1, 1), reflected to the whole circle by
// the sign bits of `signs`: x = ±√r2·cos θ, y = ±√r2·sin θ. By half angles, cos θ = 1 − 2·sin²(θ/2) and
// sin θ = 2·sin(θ/2)·cos(θ/2), so one short polynomial each serves without swapping octants. Near θ = ±π/2 the cosine's
// error is absolute (one unit of the last place of 1).
template <class D, class V = hn::Vec<D>>
HWY_INLINE void BoxMuller(D d, V r2, V v, V signs, V& x, V& y) {
  V s, c;
  HalfAngle(d, v, s, c);
  const V r = hn::OrAnd(hn::Sqrt(r2), signs, hn::SignBit(d));
  x = hn::Mul(r, hn::Sub(hn::Set(d, hn::TFromD<D>{1}), hn::Mul(s, s)));
  y = hn::Mul(r, hn::Mul(s, c));
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
