#include "kernels/normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normal.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/bfloat16-inl.h"
#include "kernels/detour.h"
#include "kernels/normal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

void Normal(const NormalFill& fill, const Key& key, const Range& range) {
  const bool normal = IsFarFromSubnormal(fill.mean) && IsFarFromSubnormal(fill.std);
  if (StoredNatively(range, normal, [&](auto* out) HWY_ATTR {
        ForTiles(out, key, range, NormalTile<ElementOf<decltype(out)>>(fill));
      })) {
    return;
  }
  WithElements(range.dtype, range.data,
               [&](auto* out) HWY_ATTR { ForTiles(out, key, range, NormalTile<ElementOf<decltype(out)>>(fill)); });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Normal);

namespace {

Detour DetourOf(const NormalFill& fill, Dtype dtype) {
  const auto [mean, std] = fill;
  Detour detour;
  if (dtype == Dtype::kFloat64) {
    if (mean != 0) detour.factor = FactorFor(std);
    detour.needed = detour.factor != 1;
  } else {
    detour.needed = std > 0 && (SingleShifts(mean, std) || SingleStretches(std, dtype) ||
                                SingleOverflows(mean, kFarthestNormal * std));
  }
  return detour;
}

}  // namespace

void NormalRange(const NormalFill& fill, const Key& key, const Range& range) {
  const Detour detour = DetourOf(fill, range.dtype);
  if (!detour.needed) return HWY_DYNAMIC_DISPATCH(Normal)(fill, key, range);
  const NormalFill scaled{fill.mean / detour.factor, fill.std / detour.factor};
  TakeDetour(detour, range, [&](const Range& aside) { HWY_DYNAMIC_DISPATCH(Normal)(scaled, key, aside); });
}

}  // namespace nninit
#endif
