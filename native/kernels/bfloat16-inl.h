// bfloat16 stored by the processor's own instruction, where that gives the same bytes. Per-target code.
#if defined(NNINIT_KERNELS_BFLOAT16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_BFLOAT16_INL_H_
#undef NNINIT_KERNELS_BFLOAT16_INL_H_
#else
#define NNINIT_KERNELS_BFLOAT16_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>

#include "kernels/store-inl.h"
#include "system/bfloat16.h"
#include "system/simd.h"
#include "types/range.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if NNINIT_AVX512 && NNINIT_BFLOAT16_ASM

// vcvtne2ps2bf16 rounds to nearest even too, but takes subnormal numbers for zeros.
struct NativeBFloat16 {
  uint16_t bits;
};

// In assembly, since it is not in all processors with AVX-512, for which this is compiled.
template <class D>
HWY_INLINE void StorePair(D /*d*/, hn::Vec<D> v0, hn::Vec<D> v1, NativeBFloat16* HWY_RESTRICT to) {
  __m512i both;
  asm("vcvtne2ps2bf16 %[low], %[high], %[both]" : [both] "=v"(both) : [low] "v"(v0.raw), [high] "v"(v1.raw));
  _mm512_storeu_si512(to, both);
}

// Calls fill(out) if the range is of bfloat16 and the processor can; `normal` tells that no value is subnormal.
template <class Fill>
HWY_INLINE bool StoredNatively(const Range& range, bool normal, const Fill& fill) {
  if (range.dtype != Dtype::kBFloat16 || !normal || !HasBFloat16()) return false;
  fill(static_cast<NativeBFloat16*>(range.data));
  return true;
}

#else

template <class Fill>
HWY_INLINE bool StoredNatively(const Range& /*range*/, bool /*normal*/, const Fill& /*fill*/) {
  return false;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
