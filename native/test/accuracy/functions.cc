#include "test/accuracy/functions.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "test/accuracy/functions.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "kernels/math-inl.h"
#include "types/compiler.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

template <class T>
void EvaluateAs(test::Function function, const T* in, size_t count, T* out) {
  const hn::CappedTag<T, 16> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto x = hn::LoadU(d, in + i);
    auto sine = x;
    auto cosine = x;
    if (function == test::Function::kMinus2Log) {
      hn::StoreU(Minus2Log(d, x), d, out + i);
    } else if (function == test::Function::kQuantile) {
      if constexpr (sizeof(T) == 4) hn::StoreU(CentralQuantile(d, x), d, out + i);
    } else {
      HalfAngle(d, x, sine, cosine);
      hn::StoreU(function == test::Function::kSine ? sine : cosine, d, out + i);
    }
  }
}

void EvaluateFloat(test::Function function, const float* in, size_t count, float* out) {
  EvaluateAs(function, in, count, out);
}

void EvaluateDouble(test::Function function, const double* in, size_t count, double* out) {
  EvaluateAs(function, in, count, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(EvaluateFloat);
HWY_EXPORT(EvaluateDouble);

namespace test {
namespace {

// T is wider than the function's type by 11 bits and more, and so is what the C library makes of it.
template <class T>
T Exact(Function function, T x, T two_to_bits) {
  constexpr T kPi = static_cast<T>(3.14159265358979323846264338327950288L);
  constexpr T kRootTwo = static_cast<T>(1.41421356237309504880168872420969808L);
  switch (function) {
    case Function::kMinus2Log:
      return -2 * std::log(x / two_to_bits);
    case Function::kSine:
      return kRootTwo * std::sin(x * (kPi / 4));
    case Function::kCosine:
      return kRootTwo * std::cos(x * (kPi / 4));
    case Function::kQuantile:
      return 0;
  }
  Unreachable();
}

template <class T>
double Ulps(T error, T exact, int digits, int least) {
  int exponent = 0;
  std::frexp(exact, &exponent);
  const auto ulps = static_cast<double>(std::fabs(error) / std::ldexp(T{1}, std::max(exponent - digits, least)));
  // No comparison with NaN is true: whoever looks for the largest would pass over it.
  return std::isnan(ulps) ? HUGE_VAL : ulps;
}

}  // namespace

void Evaluate(Function function, const float* in, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(EvaluateFloat)(function, in, count, out);
}

void Evaluate(Function function, const double* in, size_t count, double* out) {
  HWY_DYNAMIC_DISPATCH(EvaluateDouble)(function, in, count, out);
}

double ErrorUlps(Function function, float in, float out) {
  const double x = static_cast<double>(in);
  const double y = static_cast<double>(out);
  if (x == 0 && y == 0) return 0;
  if (function == Function::kQuantile) {
    // An error in probability over the density is one in the quantile, as long as it is small.
    const double density = std::exp(-y * y / 2) * 0.79788456080286535588;  // √(2/π)
    const double error = (std::erf(y * 0.70710678118654752440) - x) / density;
    return Ulps(error, y - error, 24, -149);
  }
  const double exact = Exact(function, x, 0x1p31);
  return Ulps(y - exact, exact, 24, -149);
}

double ErrorUlps(Function function, double in, double out) {
  const long double exact = Exact(function, static_cast<long double>(in), 0x1p53L);
  return Ulps(static_cast<long double>(out) - exact, exact, 53, -1074);
}

const Stated kStated[7] = {
    {"−2·ln(x·2^−31)", Function::kMinus2Log, false, 5.4698, 0x1.e2146ep+30, 0.5, 0x1p31},
    {"√2·sin(x·π/4)", Function::kSine, false, 2.8566, 0x1.ef0ceap-1, 0x1p-31, 1},
    {"√2·cos(x·π/4)", Function::kCosine, false, 1.653, 0x1.ddead2p-1, 0x1p-31, 1},
    {"√2·erfinv(x)", Function::kQuantile, false, 9.7815, 0x1.4ccfccp-2, 0x1p-31, 0.97219310283660888671875},
    {"−2·ln(x·2^−53)", Function::kMinus2Log, true, 4.0445, 0x1.91b90cae412ddp+52, 0.5, 0x1p53},
    {"√2·sin(x·π/4)", Function::kSine, true, 3.6539, 0x1.f64e2408a369bp-1, 0x1p-53, 1},
    {"√2·cos(x·π/4)", Function::kCosine, true, 2.1476, 0x1.e0c9227da016cp-1, 0x1p-53, 1},
};

}  // namespace test
}  // namespace nninit
#endif
