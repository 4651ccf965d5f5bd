#include "kernels/widen.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/widen.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "types/widen.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Bits = hn::ScalableTag<uint32_t>;

// WidenOne, by lanes. Not by the processor's conversion, which makes signalling NaNs quiet.
template <Dtype dtype>
HWY_INLINE hn::Vec<Bits> WidenLanes(Bits d, hn::Vec<Bits> bits) {
  if (dtype == Dtype::kBFloat16) return hn::ShiftLeft<16>(bits);
  const hn::RebindToSigned<Bits> di;
  const hn::RebindToFloat<Bits> df;
  const auto rest = hn::And(bits, hn::Set(d, 0x7FFFu));
  const auto sign = hn::ShiftLeft<16>(hn::Xor(bits, rest));
  const auto subnormal = hn::Mul(hn::ConvertTo(df, hn::BitCast(di, rest)), hn::Set(df, 0x1p-24f));
  const auto infinite = hn::Gt(hn::BitCast(di, rest), hn::Set(di, 0x7BFF));
  const auto bias = hn::IfThenElse(hn::RebindMask(d, infinite), hn::Set(d, 224u << 23), hn::Set(d, 112u << 23));
  const auto normal = hn::Add(hn::ShiftLeft<13>(rest), bias);
  const auto small = hn::RebindMask(d, hn::Lt(hn::BitCast(di, rest), hn::Set(di, 0x0400)));
  return hn::Or(sign, hn::IfThenElse(small, hn::BitCast(d, subnormal), normal));
}

template <Dtype dtype>
HWY_INLINE void WidenAs(const uint16_t* HWY_RESTRICT from, size_t count, float* HWY_RESTRICT to) {
  const Bits d;
  const hn::Rebind<uint16_t, Bits> d16;
  const hn::RebindToFloat<Bits> df;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    hn::StoreU(hn::BitCast(df, WidenLanes<dtype>(d, hn::PromoteTo(d, hn::LoadU(d16, from + i)))), df, to + i);
  }
  for (; i < count; ++i) to[i] = WidenOne(from[i], dtype);
}

void WidenAll(const uint16_t* from, size_t count, Dtype dtype, float* to) {
  if (dtype == Dtype::kBFloat16) {
    WidenAs<Dtype::kBFloat16>(from, count, to);
  } else {
    WidenAs<Dtype::kFloat16>(from, count, to);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(WidenAll);

void Widen(const uint16_t* from, size_t count, Dtype dtype, float* to) {
  HWY_DYNAMIC_DISPATCH(WidenAll)(from, count, dtype, to);
}

}  // namespace nninit
#endif
