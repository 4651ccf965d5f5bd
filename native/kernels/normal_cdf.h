// exp and the normal distribution function in plain C++, for the few numbers a fill needs once. The C library's own
// differ between systems in the last bit; these do not.
#ifndef NNINIT_KERNELS_NORMAL_CDF_H_
#define NNINIT_KERNELS_NORMAL_CDF_H_

#include <cmath>

namespace nninit {

// e^x for x ≤ 0, error 2 ulp.
inline double ExpNonPositive(double x) {
  if (x < -745) return 0;
  const double k = std::nearbyint(x * 0x1.71547652b82fep+0);                    // x / ln 2
  const double r = (x - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;  // |r| ≤ ln 2 / 2
  double sum = 1;
  for (int i = 14; i > 0; --i) sum = 1 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

// Φ(x), absolute error 3e-15, by Marsaglia's series (2004): ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …).
inline double NormalCdf(double x) {
  if (x < -9) return 0;
  if (x > 9) return 1;
  double term = x;
  double sum = x;
  for (int i = 3; sum + term != sum; i += 2) {
    term = term * x * x / i;
    sum += term;
  }
  return 0.5 + ExpNonPositive(-0.5 * x * x) * 0x1.9884533d43651p-2 * sum;  // 1/√(2π)
}

}  // namespace nninit

#endif  // NNINIT_KERNELS_NORMAL_CDF_H_
