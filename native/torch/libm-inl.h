// The logarithm, sine and cosine of float64 with the bits that PyTorch gets of its C library: glibc's on x86-64 with
// FMA. Only for the arguments that uniforms of 53 bits lead to. Per-target code.
//
// A bit depends on each rounding, so the order of operations, and which products are fused with the sum they go into,
// are those that the compilers of Debian's glibc 2.36 and 2.41 chose (docs/torch-engine.md).
#if defined(NNINIT_TORCH_LIBM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_TORCH_LIBM_INL_H_
#undef NNINIT_TORCH_LIBM_INL_H_
#else
#define NNINIT_TORCH_LIBM_INL_H_
#endif

#include <hwy/highway.h>

#include "torch/libm_tables.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// a·b + c with one rounding, where neither a·b nor its last bits come near the ends of float64's range. Without the
// instruction the product is made exact as a sum of two (Dekker 1971), c is added to it, and what is left over is
// rounded to odd, so that the last rounding is right (Boldo and Melquiond 2008).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Fused(HWY_MAYBE_UNUSED D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  const hn::RebindToUnsigned<D> du;
  const auto high_half = [&](V x) HWY_ATTR {
    const auto scaled = hn::Mul(x, hn::Set(d, 134217729.0));  // 2^27 + 1
    return hn::Sub(scaled, hn::Sub(scaled, x));
  };
  const auto add = [&](V x, V y, V& error) HWY_ATTR {  // Møller and Knuth's sum
    const auto sum = hn::Add(x, y);
    const auto part = hn::Sub(sum, x);
    error = hn::Add(hn::Sub(x, hn::Sub(sum, part)), hn::Sub(y, part));
    return sum;
  };
  const auto a1 = high_half(a), b1 = high_half(b);
  const auto a2 = hn::Sub(a, a1), b2 = hn::Sub(b, b1);
  const auto product = hn::Mul(a, b);
  const auto cross = hn::Add(hn::Add(hn::Sub(hn::Mul(a1, b1), product), hn::Mul(a1, b2)), hn::Mul(a2, b1));
  auto low = hn::Add(cross, hn::Mul(a2, b2));
  auto error = low;
  const auto middle = add(c, low, low);
  const auto high = add(product, middle, error);
  const auto rest = add(low, error, error);
  const auto bits = hn::BitCast(du, rest);
  const auto one = hn::Set(du, uint64_t{1});
  const auto inexact = hn::RebindMask(du, hn::Ne(error, hn::Zero(d)));
  const auto even = hn::Eq(hn::And(bits, one), hn::Zero(du));
  // The odd neighbour lies towards zero where the error has the other sign.
  const auto inwards = hn::ShiftRight<63>(hn::Xor(bits, hn::BitCast(du, error)));
  const auto odd = hn::Or(hn::Sub(bits, inwards), one);
  return hn::Add(high, hn::BitCast(d, hn::IfThenElse(hn::And(inexact, even), odd, bits)));
#endif
}

// c − a·b.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V FusedNegated(HWY_MAYBE_UNUSED D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
  return hn::NegMulAdd(a, b, c);
#else
  return Fused(d, hn::Neg(a), b, c);
#endif
}

// ln x for 2^−53 ≤ x ≤ 1: x = z·2^k with z in [0x1.6p-1, 0x1.6p0), and ln x = k·ln 2 + ln c + ln(z/c), where c is a
// table's; from 15/16 on a longer polynomial in x − 1. hn::MulAdd stands where the product is exact.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LibmLog(D d, V x) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToUnsigned<D> du;
  const auto constant = [&](double c) HWY_ATTR { return hn::Set(d, c); };

  const auto bits = hn::BitCast(du, x);
  constexpr uint64_t kBias = uint64_t{64} << 52;  // makes the exponent positive
  const auto biased = hn::Sub(bits, hn::Set(du, 0x3FE6000000000000u - kBias));
  const auto exponent = hn::ShiftRight<52>(biased);
  const auto k = hn::Sub(hn::BitCast(d, hn::Or(exponent, hn::Set(du, 0x4330000000000000u))), constant(0x1p52 + 64));
  const auto z = hn::BitCast(d, hn::Sub(bits, hn::Sub(hn::ShiftLeft<52>(exponent), hn::Set(du, kBias))));
  const auto row = hn::BitCast(di, hn::And(hn::ShiftRight<44>(biased), hn::Set(du, uint64_t{254})));
  const auto inverse = hn::GatherIndex(d, &kLogTable[0][0], row);
  const auto log_c = hn::GatherIndex(d, &kLogTable[0][1], row);
  auto r = Fused(d, z, inverse, constant(-1));
  const auto base = hn::MulAdd(k, constant(0x1.62e42fefa38p-1), log_c);
  auto high = hn::Add(base, r);
  auto low = Fused(d, k, constant(0x1.ef35793c7673p-45), hn::Add(hn::Sub(base, high), r));
  auto r2 = hn::Mul(r, r);
  auto p = Fused(d, r, constant(-0x1.55575e506c89fp-3), constant(0x1.999b324f10111p-3));
  p = Fused(d, p, r2, Fused(d, r, constant(-0x1.fffffffeb459p-3), constant(0x1.555555551305bp-2)));
  low = Fused(d, r2, constant(-0x1.0000000000001p-1), low);
  const auto far = hn::Add(Fused(d, hn::Mul(r, r2), p, low), high);

  r = hn::Sub(x, constant(1));
  r2 = hn::Mul(r, r);
  const auto r3 = hn::Mul(r, r2);
  const auto quadratic = [&](double c0, double c1, double c2) HWY_ATTR {
    return Fused(d, r2, hn::Set(d, c2), Fused(d, r, hn::Set(d, c1), hn::Set(d, c0)));
  };
  p = quadratic(0x1.c7184282ad6cap-4, -0x1.999eb43b068ffp-4, 0x1.78182f7afd085p-4);
  p = Fused(d, r3, constant(-0x1.5521375d145cdp-4), p);
  p = Fused(d, p, r3, quadratic(-0x1.55555556745a7p-3, 0x1.24924a344de3p-3, -0x1.fffffa4423d65p-4));
  p = Fused(d, p, r3, quadratic(0x1.5555555555577p-2, -0x1.ffffffffffdcbp-3, 0x1.999999995dd0cp-3));
  const auto half = constant(-0.5);
  const auto scaled = hn::MulAdd(r, constant(0x1p27), r);
  const auto upper = hn::NegMulAdd(r, constant(0x1p27), scaled);  // of r, 26 bits
  const auto square = hn::Mul(upper, upper);
  high = hn::MulAdd(square, half, r);
  low = hn::MulAdd(square, half, hn::Sub(r, high));
  low = Fused(d, hn::Mul(half, hn::Sub(r, upper)), hn::Add(upper, r), low);
  const auto near = hn::Add(Fused(d, p, r3, low), high);
  return hn::IfThenElse(hn::Ge(x, constant(0.9375)), near, far);
}

// ln(1 + x) where −x is a multiple of 2^−53 in [0, 1), as fdlibm computes it (Sun Microsystems 1993):
// 1 + x = (1 + f)·2^k. Where that is below √½, it is exact.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LibmLog1p(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  const auto constant = [&](double c) HWY_ATTR { return hn::Set(d, c); };

  // Where x > −0.2929, k is 0 and f is x.
  const auto near = hn::Lt(hn::Neg(x), hn::BitCast(d, hn::Set(du, 0x3FD2BEC400000000u)));
  const auto bits = hn::BitCast(du, hn::Add(x, constant(1)));
  // The mantissa of numbers from √2 on is halved.
  const auto carried = hn::ShiftRight<52>(hn::Add(bits, hn::Set(du, 0x00095F6200000000u)));
  const auto exponent = hn::BitCast(d, hn::Or(carried, hn::Set(du, 0x4330000000000000u)));
  const auto k = hn::Sub(exponent, constant(0x1p52 + 1023));
  const auto one_plus_f = hn::Sub(hn::Add(bits, hn::Set(du, uint64_t{1023} << 52)), hn::ShiftLeft<52>(carried));
  const auto f = hn::IfThenElse(near, x, hn::Sub(hn::BitCast(d, one_plus_f), constant(1)));

  const auto half_square = hn::Mul(hn::Mul(constant(0.5), f), f);
  const auto s = hn::Div(f, hn::Add(constant(2), f));
  const auto z = hn::Mul(s, s);
  const auto z2 = hn::Mul(z, z);
  const auto z4 = hn::Mul(z2, z2);
  const auto z6 = hn::Mul(z4, z2);
  const auto line = [&](double c0, double c1) HWY_ATTR { return Fused(d, z, hn::Set(d, c1), hn::Set(d, c0)); };
  auto p = hn::Mul(z2, line(3.999999999940941908e-01, 2.857142874366239149e-01));
  p = Fused(d, z, constant(6.666666666666735130e-01), p);
  p = Fused(d, z4, line(2.222219843214978396e-01, 1.818357216161805012e-01), p);
  p = Fused(d, z6, line(1.531383769920937332e-01, 1.479819860511658591e-01), p);
  const auto product = hn::Mul(s, hn::Add(half_square, p));
  const auto k_high = hn::Mul(k, constant(6.93147180369123816490e-01));
  const auto k_low = hn::Mul(k, constant(1.90821492927058770002e-10));
  auto far = hn::Sub(half_square, hn::Add(product, k_low));
  // Where f is about 2^−20 or less, two terms do.
  const auto two_terms = hn::Mul(half_square, FusedNegated(d, f, constant(0.66666666666666666), constant(1)));
  const auto tiny = hn::And(hn::Lt(f, constant(0x1p-20)), hn::Ge(f, constant(-0x1.8p-20)));
  far = hn::IfThenElse(tiny, hn::Sub(two_terms, k_low), far);
  far = hn::Sub(k_high, hn::Sub(far, f));
  // And one below 2^−29.
  const auto one_term = hn::Sub(x, hn::Mul(hn::Mul(x, x), constant(0.5)));
  const auto close = hn::Sub(f, hn::Sub(half_square, product));
  return hn::IfThenElse(near, hn::IfThenElse(hn::Gt(x, constant(-0x1p-29)), one_term, close), far);
}

// sin(a + rest) for a ≥ 0 and cos(a + rest), a below 0.8555: from the table's nearest k/128 by short
// polynomials (IBM's Accurate Mathematical Library). Sines below 0.126 are a polynomial alone.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void LibmSinCosReduced(D d, V a, V rest, V& sine, V& cosine) {
  const hn::RebindToSigned<D> di;
  const auto constant = [&](double c) HWY_ATTR { return hn::Set(d, c); };

  const auto big = constant(0x1.8p45);
  const auto rounded = hn::Add(a, big);
  const auto row = hn::And(hn::ShiftLeft<2>(hn::BitCast(di, rounded)), hn::Set(di, int64_t{508}));
  const auto sin_k = hn::GatherIndex(d, &kSinCosTable[0][0], row);
  const auto sin_k_rest = hn::GatherIndex(d, &kSinCosTable[0][1], row);
  const auto cos_k = hn::GatherIndex(d, &kSinCosTable[0][2], row);
  const auto cos_k_rest = hn::GatherIndex(d, &kSinCosTable[0][3], row);
  const auto distance = hn::Sub(a, hn::Sub(rounded, big));
  const auto cubic = [&](V x, V square, V addend) HWY_ATTR {
    const auto p = Fused(d, square, hn::Set(d, 8.33333214285722277379541354343671E-03),
                         hn::Set(d, -1.66666666666664880952546298448555E-01));
    return Fused(d, hn::Mul(x, square), p, addend);
  };
  const auto quartic = [&](V square) HWY_ATTR {
    auto p = Fused(d, square, hn::Set(d, 1.38888874007937613028114285595617E-03),
                   hn::Set(d, -4.16666666666664434524222570944589E-02));
    p = Fused(d, p, square, hn::Set(d, 4.99999999999999999999950396842453E-01));
    return hn::Mul(square, p);
  };

  auto square = hn::Mul(distance, distance);
  auto s = hn::Add(cubic(distance, square, rest), distance);
  auto c = Fused(d, distance, rest, quartic(square));
  auto correction = FusedNegated(d, sin_k, c, Fused(d, s, cos_k_rest, sin_k_rest));
  const auto from_table = hn::Add(sin_k, Fused(d, cos_k, s, correction));

  const auto x = hn::Add(distance, rest);
  square = hn::Mul(x, x);
  s = cubic(x, square, x);
  correction = FusedNegated(d, cos_k, quartic(square), FusedNegated(d, s, sin_k_rest, cos_k_rest));
  cosine = hn::Add(cos_k, FusedNegated(d, sin_k, s, correction));

  square = hn::Mul(a, a);
  auto p = constant(-0x1.addffc2fcdf59p-26);
  for (const double next :
       {0x1.71de27b9a7ed9p-19, -0x1.a01a019db08b8p-13, 0x1.1111111110ecep-7, -0x1.5555555555555p-3}) {
    p = Fused(d, p, square, constant(next));
  }
  p = Fused(d, p, a, hn::Mul(rest, constant(-0.5)));
  const auto small = hn::Add(a, Fused(d, p, square, rest));
  sine = hn::IfThenElse(hn::Lt(a, constant(0.126)), small, from_table);
}

// Sine and cosine for 0 ≤ x ≤ 2π.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void LibmSinCos(D d, V x, V& sine, V& cosine) {
  const hn::RebindToUnsigned<D> du;
  const auto constant = [&](double c) HWY_ATTR { return hn::Set(d, c); };

  // From the third octant on x − n·π/2, with π/2 in four parts, of which the products with the first two are exact.
  const auto to_integer = constant(0x1.8p52);
  const auto shifted = Fused(d, x, constant(0x1.45f306dc9c883p-1), to_integer);
  const auto n = hn::Sub(shifted, to_integer);
  const auto y = Fused(d, n, constant(0x1.dde973cp-27), Fused(d, n, constant(-0x1.921fb58p0), x));
  const auto part = constant(0x1.cb3b398p-55);
  const auto last = constant(0x1.d747f23e32ed7p-83);
  const auto a3 = Fused(d, n, part, y);
  const auto rest3 = Fused(d, n, part, hn::Sub(y, a3));
  const auto a4 = Fused(d, n, last, a3);
  const auto rest4 = hn::Add(rest3, Fused(d, n, last, hn::Sub(a3, a4)));
  // Between, π/2 − x.
  const auto half_pi_rest = constant(0x1.1a62633145c07p-54);
  const auto difference = hn::Sub(constant(0x1.921fb54442d18p0), x);
  const auto a2 = hn::Add(difference, half_pi_rest);
  const auto rest2 = hn::Add(hn::Sub(difference, a2), half_pi_rest);

  const auto first = hn::Lt(x, constant(0x1.b6p-1));
  const auto middle = hn::Lt(x, hn::BitCast(d, hn::Set(du, 0x400368FD00000000u)));
  const auto a = hn::IfThenElse(first, x, hn::IfThenElse(middle, a2, a4));
  const auto rest = hn::IfThenElseZero(hn::Not(first), hn::IfThenElse(middle, rest2, rest4));
  auto quadrant = hn::And(hn::BitCast(du, shifted), hn::Set(du, uint64_t{3}));
  quadrant = hn::IfThenElse(hn::RebindMask(du, middle), hn::Set(du, uint64_t{1}), quadrant);
  quadrant = hn::IfThenZeroElse(hn::RebindMask(du, first), quadrant);

  const auto sign = hn::And(a, constant(-0.0));
  auto s = a;
  auto c = a;
  LibmSinCosReduced(d, hn::Abs(a), hn::Xor(rest, sign), s, c);
  s = hn::Xor(s, sign);
  const auto odd = hn::RebindMask(d, hn::Ne(hn::And(quadrant, hn::Set(du, uint64_t{1})), hn::Zero(du)));
  const auto sine_sign = hn::ShiftLeft<62>(hn::And(quadrant, hn::Set(du, uint64_t{2})));
  const auto cosine_sign =
      hn::ShiftLeft<62>(hn::AndNot(hn::ShiftLeft<1>(quadrant), hn::And(quadrant, hn::Set(du, uint64_t{2}))));
  sine = hn::Xor(hn::IfThenElse(odd, c, s), hn::BitCast(d, sine_sign));
  cosine = hn::Xor(hn::IfThenElse(odd, s, c), hn::BitCast(d, cosine_sign));
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
