#include "kernels/normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/normal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

void Normal(const NormalFill& fill, const Key& key, const Range& range) {
  WithElements(range.dtype, range.data,
               [&](auto* out) HWY_ATTR { ForTiles(out, key, range, NormalTile<ElementOf<decltype(out)>>(fill)); });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Normal);

void NormalRange(const NormalFill& fill, const Key& key, const Range& range) {
  HWY_DYNAMIC_DISPATCH(Normal)(fill, key, range);
}

}  // namespace nninit
#endif
