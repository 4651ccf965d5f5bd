// The normal distribution function in plain C++, for the few numbers a fill needs once.
#ifndef NNINIT_KERNELS_NORMAL_CDF_H_
#define NNINIT_KERNELS_NORMAL_CDF_H_

#include "kernels/elementary.h"

namespace nninit {

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
  return 0.5 + Exp(-0.5 * x * x) * 0x1.9884533d43651p-2 * sum;  // 1/√(2π)
}

}  // namespace nninit

#endif  // NNINIT_KERNELS_NORMAL_CDF_H_
