// One element at a time, for kernels in plain C++.
#ifndef NNINIT_KERNELS_STORE_H_
#define NNINIT_KERNELS_STORE_H_

#include <cstring>

#include "types/range.h"
#include "types/rounding.h"

namespace nninit {

// Stores element i of the range, rounded to nearest even; to 16 bits by way of float32.
inline void StoreOne(double x, const Range& range, size_t i) {
  const uint64_t bits = ConstantBits(x, range.dtype);
  const size_t bytes = DtypeBytes(range.dtype);
  std::memcpy(static_cast<char*>(range.data) + i * bytes, &bits, bytes);
}

}  // namespace nninit

#endif  // NNINIT_KERNELS_STORE_H_
