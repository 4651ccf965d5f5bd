#ifndef NNINIT_TYPES_WIDEN_H_
#define NNINIT_TYPES_WIDEN_H_

#include <cstdint>
#include <cstring>

#include "types/dtype.h"

namespace nninit {

// float16 or bfloat16 to float32, exactly.
inline float WidenOne(uint16_t bits, Dtype dtype) {
  uint32_t wide;
  if (dtype == Dtype::kBFloat16) {
    wide = uint32_t{bits} << 16;
  } else {
    const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
    const uint32_t rest = bits & 0x7FFFu;
    if (rest < 0x0400u) {  // zero and subnormal: a multiple of 2^-24
      const float magnitude = static_cast<float>(rest) * 0x1p-24f;
      std::memcpy(&wide, &magnitude, sizeof wide);
    } else {
      wide = (rest << 13) + (rest >= 0x7C00u ? 224u << 23 : 112u << 23);
    }
    wide |= sign;
  }
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

}  // namespace nninit

#endif  // NNINIT_TYPES_WIDEN_H_
