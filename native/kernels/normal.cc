#include "kernels/normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/normal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

void Normal(double mean, double std, const Key& key, const Range& range) {
#define NNINIT_CALL(T) ForTiles<T>(key, range, NormalTile<T>(mean, std))
  NNINIT_FOR_DTYPE(range.dtype, NNINIT_CALL)
#undef NNINIT_CALL
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Normal);

void NormalRange(double mean, double std, const Key& key, const Range& range) {
  HWY_DYNAMIC_DISPATCH(Normal)(mean, std, key, range);
}

}  // namespace nninit
#endif
