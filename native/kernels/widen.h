#ifndef NNINIT_KERNELS_WIDEN_H_
#define NNINIT_KERNELS_WIDEN_H_

#include <cstddef>
#include <cstdint>

#include "types/dtype.h"

namespace nninit {

// float16 or bfloat16 to float32, exactly, NaNs included.
void Widen(const uint16_t* from, size_t count, Dtype dtype, float* to);

}  // namespace nninit

#endif  // NNINIT_KERNELS_WIDEN_H_
