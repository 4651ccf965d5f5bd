// Through float64, for parameters that the type computed in cannot hold well enough.
#ifndef NNINIT_KERNELS_DETOUR_H_
#define NNINIT_KERNELS_DETOUR_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "types/range.h"
#include "types/rounding.h"

namespace nninit {

// What becomes of float64 values: times `factor`, a power of two, put into [low, high] and rounded to the dtype.
struct Detour {
  bool needed = false;
  double factor = 1;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// Kernels of float32 round their parameters to it. What that moves is allowed to be this much of the distribution's
// width: bounds and means are rounded by half of a spacing anyway, but what the numbers are multiplied by is rounded
// this much only below the normal numbers.
constexpr double kMostShift = 0x1p-10;
constexpr double kMostStretch = 0x1p-20;

inline double Single(double x) { return static_cast<double>(static_cast<float>(x)); }

inline bool SingleShifts(double place, double width) { return std::fabs(Single(place) - place) > kMostShift * width; }

// Only subnormal numbers are, of which float16 has none: all that is so small is zero there.
inline bool SingleStretches(double scale, Dtype dtype) {
  return dtype != Dtype::kFloat16 && std::fabs(Single(scale) - scale) > kMostStretch * scale;
}

// Whether z·std is beyond float32 for a value z·std + mean that need not be.
inline bool SingleOverflows(double mean, double farthest) {
  return mean != 0 && farthest > static_cast<double>(std::numeric_limits<float>::max());
}

// float64 values so near its end that differences and products are not in range are made at a sixteenth.
inline double FactorFor(double largest) { return largest > 0x1p1018 ? 16 : 1; }

// Has kernel(range) write float64 values aside, and stores what becomes of them.
template <class Kernel>
void TakeDetour(const Detour& detour, const Range& range, const Kernel& kernel) {
  constexpr size_t kAtOnce = 512;  // whole tiles
  alignas(64) double values[kAtOnce];
  const size_t bytes = DtypeBytes(range.dtype);
  char* out = static_cast<char*>(range.data);
  for (size_t done = 0, count; done < range.count; done += count) {
    count = std::min(range.count - done, kAtOnce - static_cast<size_t>((range.begin + done) % kAtOnce));
    kernel(Range{values, Dtype::kFloat64, range.begin + done, count});
    for (size_t i = 0; i < count; ++i, out += bytes) {
      const uint64_t bits =
          StorageBits(std::min(std::max(values[i] * detour.factor, detour.low), detour.high), range.dtype);
      std::memcpy(out, &bits, bytes);
    }
  }
}

}  // namespace nninit

#endif  // NNINIT_KERNELS_DETOUR_H_
