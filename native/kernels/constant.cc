#include "kernels/constant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/constant.cc"
#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void ConstantOf(T value, const Range& range) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto v = hn::Set(d, value);
  T* HWY_RESTRICT out = static_cast<T*>(range.data);
  const size_t count = range.count;
  size_t i = 0;
  if (range.writers > 0) {
    for (; i < count && reinterpret_cast<uintptr_t>(out + i) % (lanes * sizeof(T)) != 0; ++i) out[i] = value;
    for (; i + lanes <= count; i += lanes) hn::Stream(v, d, out + i);
    hwy::FlushStream();
  }
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    hn::StoreU(v, d, out + i);
    hn::StoreU(v, d, out + i + lanes);
    hn::StoreU(v, d, out + i + 2 * lanes);
    hn::StoreU(v, d, out + i + 3 * lanes);
  }
  for (; i < count; ++i) out[i] = value;
}

void Constant(uint64_t bits, const Range& range) {
  WithElements(range.dtype, range.data,
               [&](auto* out) HWY_ATTR { ConstantOf(static_cast<hwy::UnsignedFromSize<sizeof(*out)>>(bits), range); });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Constant);

void ConstantRange(uint64_t bits, const Range& range) {
  if (bits == 0 && range.writers == 0) {
    std::memset(range.data, 0, range.Bytes());
  } else {
    HWY_DYNAMIC_DISPATCH(Constant)(bits, range);
  }
}

void DiagonalRange(const DiagonalFill& fill, uint64_t bits, const Range& range) {
  std::memset(range.data, 0, range.Bytes());
  if (fill.count == 0) return;
  // By value: the compiler cannot know that the elements written are none of these.
  WithElements(range.dtype, range.data, [fill, bits, begin = range.begin, end = range.begin + range.count](auto* out) {
    // The first diagonal that does not end before the range.
    const uint64_t last = fill.offset + (fill.count - 1) * fill.step;
    uint64_t g = fill.groups > 1 && begin > last ? (begin - last + fill.group_stride - 1) / fill.group_stride : 0;
    for (; g < fill.groups; ++g) {
      const uint64_t first = fill.offset + g * fill.group_stride;
      if (first >= end) break;
      uint64_t d = begin > first && fill.step > 0 ? (begin - first + fill.step - 1) / fill.step : 0;
      for (; d < fill.count; ++d) {
        const uint64_t index = first + d * fill.step;
        if (index >= end) break;
        if (index >= begin) std::memcpy(out + (index - begin), &bits, sizeof(*out));
      }
    }
  });
}

}  // namespace nninit
#endif
