// Storing lanes in the storage type, rounded to nearest even. Per-target code.
#if defined(NNINIT_KERNELS_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_STORE_INL_H_
#undef NNINIT_KERNELS_STORE_INL_H_
#else
#define NNINIT_KERNELS_STORE_INL_H_
#endif

#include <hwy/highway.h>

#include "system/simd.h"
#include "types/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void StoreAs(D d, hn::Vec<D> v, float* HWY_RESTRICT to) {
  hn::StoreU(v, d, to);
}

template <class D>
HWY_INLINE void StoreAs(D d, hn::Vec<D> v, double* HWY_RESTRICT to) {
  hn::StoreU(v, d, to);
}

template <class D>
HWY_INLINE void StoreLow16(D /*d*/, hn::Vec<hn::RebindToUnsigned<D>> bits, uint16_t* HWY_RESTRICT to) {
  const hn::Rebind<uint16_t, D> d16;
  hn::StoreU(hn::TruncateTo(d16, bits), d16, to);
}

// A bfloat16 in the upper halves of the lanes. Finite values only.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> RoundToBFloat16(D /*d*/, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  return hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFFu)));
}

template <class D>
HWY_INLINE void StoreAs(D d, hn::Vec<D> v, BFloat16* HWY_RESTRICT to) {
  StoreLow16(d, hn::ShiftRight<16>(RoundToBFloat16(d, v)), reinterpret_cast<uint16_t*>(to));
}

// Finite values only; what rounds beyond 65504 becomes infinite.
template <class D>
HWY_INLINE void StoreAs(HWY_MAYBE_UNUSED D d, hn::Vec<D> v, Float16* HWY_RESTRICT to) {
#if NNINIT_AVX2 || HWY_ARCH_ARM_A64
  const hn::Rebind<hwy::float16_t, D> d16;
  hn::StoreU(hn::DemoteTo(d16, v), d16, reinterpret_cast<hwy::float16_t*>(to));
#else
  const hn::RebindToUnsigned<D> du;
  const auto magnitude = hn::Abs(v);
  const auto bits = hn::BitCast(du, magnitude);
  const auto sign = hn::ShiftRight<16>(hn::Xor(hn::BitCast(du, v), bits));
  const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 1u));
  const auto normal = hn::ShiftRight<13>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0xC8000FFFu))));
  // Adding ½ rounds a subnormal half to a multiple of 2^−24, in the low bits of the sum.
  const auto half = hn::Set(d, 0.5f);
  const auto subnormal = hn::Sub(hn::BitCast(du, hn::Add(magnitude, half)), hn::BitCast(du, half));
  const auto small = hn::RebindMask(du, hn::Lt(magnitude, hn::Set(d, 0x1p-14f)));
  const auto large = hn::RebindMask(du, hn::Ge(magnitude, hn::Set(d, 65520.0f)));
  const auto result = hn::IfThenElse(large, hn::Set(du, 0x7C00u), hn::IfThenElse(small, subnormal, normal));
  StoreLow16(d, hn::Or(result, sign), reinterpret_cast<uint16_t*>(to));
#endif
}

// Two vectors, one after the other.
template <class D, class T>
HWY_INLINE void StorePair(D d, hn::Vec<D> v0, hn::Vec<D> v1, T* HWY_RESTRICT to) {
  StoreAs(d, v0, to);
  StoreAs(d, v1, to + hn::Lanes(d));
}

#if HWY_TARGET != HWY_SCALAR
template <class D>
HWY_INLINE void StorePair(D d, hn::Vec<D> v0, hn::Vec<D> v1, BFloat16* HWY_RESTRICT to) {
  const hn::Repartition<uint16_t, D> d16;
  const auto low = hn::BitCast(d16, RoundToBFloat16(d, v0));
  const auto high = hn::BitCast(d16, RoundToBFloat16(d, v1));
  hn::StoreU(hn::ConcatOdd(d16, high, low), d16, reinterpret_cast<uint16_t*>(to));
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
