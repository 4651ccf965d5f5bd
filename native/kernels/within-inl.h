// Values put between two bounds. Per-target code.
#if defined(NNINIT_KERNELS_WITHIN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_WITHIN_INL_H_
#undef NNINIT_KERNELS_WITHIN_INL_H_
#else
#define NNINIT_KERNELS_WITHIN_INL_H_
#endif

#include <hwy/highway.h>

#include "system/simd.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// x in [low, high], of which the bound is taken where x equals it: targets disagree about the greater of −0 and 0, and
// this is what x86's instructions do.
template <class D>
HWY_INLINE hn::Vec<D> Within(D d, hn::Vec<D> x, hn::TFromD<D> low, hn::TFromD<D> high) {
  const auto least = hn::Set(d, low);
  const auto most = hn::Set(d, high);
#if HWY_ARCH_X86 && !NNINIT_PLAIN_TARGET
  return hn::Min(hn::Max(x, least), most);
#else
  const auto raised = hn::IfThenElse(hn::Gt(x, least), x, least);
  return hn::IfThenElse(hn::Lt(raised, most), raised, most);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
