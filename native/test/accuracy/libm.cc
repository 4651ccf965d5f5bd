#include "test/accuracy/libm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "test/accuracy/libm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "torch/libm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

void EvaluateLibm(test::Libm function, const double* in, size_t count, double* out) {
  const hn::CappedTag<double, 8> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto x = hn::LoadU(d, in + i);
    auto sine = x;
    auto cosine = x;
    if (function == test::Libm::kLog) {
      hn::StoreU(LibmLog(d, x), d, out + i);
    } else if (function == test::Libm::kLog1p) {
      hn::StoreU(LibmLog1p(d, x), d, out + i);
    } else {
      LibmSinCos(d, x, sine, cosine);
      hn::StoreU(function == test::Libm::kSin ? sine : cosine, d, out + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(EvaluateLibm);

namespace test {

void LibmArguments::Next(size_t count, double* out) {
  constexpr uint64_t kLast = (uint64_t{1} << 53) - 1;
  for (size_t i = 0; i < count; ++i, ++number_) {
    uint64_t k = random_() & kLast;
    if (number_ % 2 == 1) k >>= number_ / 4 % 54;
    if (number_ % 4 == 3) k = kLast - k;
    const double uniform = static_cast<double>(k) * 0x1p-53;
    const bool is_angle = function_ == Libm::kSin || function_ == Libm::kCos;
    out[i] = is_angle ? 6.283185307179586476925 * uniform : function_ == Libm::kLog ? 1 - uniform : -uniform;
  }
}

void OurLibm(Libm function, const double* in, size_t count, double* out) {
  HWY_DYNAMIC_DISPATCH(EvaluateLibm)(function, in, count, out);
}

double SystemLibm(Libm function, double x) {
  switch (function) {
    case Libm::kLog:
      return std::log(x);
    case Libm::kLog1p:
      return std::log1p(x);
    case Libm::kSin:
    case Libm::kCos:
      break;
  }
  // PyTorch's compiler asks for both at once, and so glibc's sincos, whose last bits are not all those of sin and cos.
  double sine = 0;
  double cosine = 0;
#ifdef __GLIBC__
  sincos(x, &sine, &cosine);
#else
  sine = std::sin(x);
  cosine = std::cos(x);
#endif
  return function == Libm::kSin ? sine : cosine;
}

}  // namespace test
}  // namespace nninit
#endif
