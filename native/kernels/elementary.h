// exp, logarithm, sine and cosine in plain C++, in double. The C library's own differ between systems in the last bit;
// these do not: +, −, ×, ÷ of IEEE 754 in a fixed order, and exact scaling.
#ifndef NNINIT_KERNELS_ELEMENTARY_H_
#define NNINIT_KERNELS_ELEMENTARY_H_

#include <cmath>

namespace nninit {

// ln 2 in two parts, the first short enough for its product with an exponent to be exact.
constexpr double kLn2High = 0x1.62e42fefa0000p-1;
constexpr double kLn2Low = 0x1.cf79abc9e3b3ap-40;

// e^x for x ≤ 709, error 2 ulp.
inline double Exp(double x) {
  if (!(x >= -745)) return 0;
  const double k = std::nearbyint(x * 0x1.71547652b82fep+0);  // x / ln 2
  const double r = (x - k * kLn2High) - k * kLn2Low;          // |r| ≤ ln 2 / 2
  double sum = 1;
  for (int i = 14; i > 0; --i) sum = 1 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

// 1 − e^(−x) for x ≥ 0, error 4 ulp.
inline double OneMinusExpOfNegative(double x) {
  if (x > 0.375) return 1 - Exp(-x);
  double sum = 1;
  for (int i = 14; i > 1; --i) sum = 1 - sum * x / i;
  return sum * x;
}

// ln x for x > 0, error 2 ulp: x = 2^e·(1 + s)/(1 − s) with |s| ≤ 0.172, ln x = e·ln 2 + 2·artanh s.
inline double Log(double x) {
  int e = 0;
  double m = std::frexp(x, &e);
  if (m < 0x1.6a09e667f3bcdp-1) {  // √½
    m *= 2;
    --e;
  }
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  double sum = 0;
  for (int i = 21; i > 1; i -= 2) sum = (sum + 1.0 / i) * z;
  return e * kLn2High + (e * kLn2Low + (2 * s + 2 * s * sum));
}

// The least |x| for which products below would be rounded: positions end before.
constexpr double kMostAngle = 0x1p20;

// The sine of x for |x| ≤ kMostAngle, or its cosine. Absolute error 2e-16.
inline double SinCos(double x, bool cosine) {
  // π/2 in three parts, the first two of 33 bits.
  constexpr double kHalfPi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};
  const double k = std::nearbyint(x * 0x1.45f306dc9c883p-1);  // x / (π/2)
  const double r = ((x - k * kHalfPi[0]) - k * kHalfPi[1]) - k * kHalfPi[2];
  const double z = r * r;
  const int quadrant = (static_cast<int>(k) + (cosine ? 1 : 0)) & 3;
  // Taylor's series, for |r| ≤ π/4: 1 − z/(1·2)·(1 − z/(3·4)·(…)), and r − r·z/(2·3)·(…).
  const int first = quadrant % 2 == 1 ? 1 : 2;
  double sum = 1;
  for (int i = first + 16; i > first; i -= 2) sum = 1 - sum * z / (i * (i + 1));
  const double tail = z / (first * (first + 1)) * sum;
  const double value = first == 1 ? 1 - tail : r - r * tail;
  return quadrant >= 2 ? -value : value;
}

}  // namespace nninit

#endif  // NNINIT_KERNELS_ELEMENTARY_H_
