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
  switch (DtypeBytes(range.dtype)) {
    case 2:
      return ConstantOf(static_cast<uint16_t>(bits), range);
    case 4:
      return ConstantOf(static_cast<uint32_t>(bits), range);
    default:
      return ConstantOf(bits, range);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Constant);

void ConstantRange(uint64_t bits, const Range& range) {
  if (bits == 0 && range.writers == 0) {
    std::memset(range.data, 0, range.count * DtypeBytes(range.dtype));
  } else {
    HWY_DYNAMIC_DISPATCH(Constant)(bits, range);
  }
}

void DiagonalRange(const Diagonals& diagonals, uint64_t bits, const Range& range) {
  const size_t bytes = DtypeBytes(range.dtype);
  char* out = static_cast<char*>(range.data);
  std::memset(out, 0, range.count * bytes);
  if (diagonals.count == 0) return;
  const uint64_t begin = range.begin;
  const uint64_t end = range.begin + range.count;
  for (uint64_t g = 0; g < diagonals.groups; ++g) {
    const uint64_t first = diagonals.offset + g * diagonals.group_stride;
    if (first >= end) break;
    uint64_t d = begin > first && diagonals.step > 0 ? (begin - first + diagonals.step - 1) / diagonals.step : 0;
    for (; d < diagonals.count; ++d) {
      const uint64_t index = first + d * diagonals.step;
      if (index >= end) break;
      if (index >= begin) std::memcpy(out + (index - begin) * bytes, &bits, bytes);
    }
  }
}

}  // namespace nninit
#endif
