// Rounding to each dtype in plain C++: nearest even, or toward a bound that must hold.
#ifndef NNINIT_TYPES_ROUNDING_H_
#define NNINIT_TYPES_ROUNDING_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "types/compiler.h"
#include "types/dtype.h"

namespace nninit {

// Parameters of the binary formats: bits of precision with the hidden one, least exponent of a normal value (as of
// std::frexp), largest finite value.
struct Format {
  int precision;
  int min_exponent;
  double max;
};

inline Format FormatOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat16:
      return {11, -13, 65504.0};
    case Dtype::kBFloat16:
      return {8, -125, 0x1.FEp127};
    case Dtype::kFloat32:
      return {24, -125, static_cast<double>(std::numeric_limits<float>::max())};
    case Dtype::kFloat64:
      return {53, -1021, std::numeric_limits<double>::max()};
  }
  Unreachable();
}

// The spacing of the dtype's values around x.
inline double Spacing(double x, Dtype dtype) {
  const Format format = FormatOf(dtype);
  int exponent = format.min_exponent;
  if (x != 0) std::frexp(x, &exponent);
  if (exponent < format.min_exponent) exponent = format.min_exponent;
  return std::ldexp(1.0, exponent - format.precision);
}

// The least value of the dtype that is ≥ x; infinite if there is none.
inline double RoundUp(double x, Dtype dtype) {
  if (!std::isfinite(x) || dtype == Dtype::kFloat64) return x;
  const double spacing = Spacing(x, dtype);
  const double up = std::ceil(x / spacing) * spacing;
  const double max = FormatOf(dtype).max;
  return up > max ? std::numeric_limits<double>::infinity() : up < -max ? -max : up;
}

inline double RoundDown(double x, Dtype dtype) { return -RoundUp(-x, dtype); }

// The largest value of the dtype that is < x.
inline double LargestBelow(double x, Dtype dtype) {
  if (dtype == Dtype::kFloat64) return std::nextafter(x, -std::numeric_limits<double>::infinity());
  const double down = RoundDown(x, dtype);
  if (down < x || !std::isfinite(down)) return down;
  // One double below a value of the dtype rounds down to its neighbour.
  return RoundDown(std::nextafter(x, -std::numeric_limits<double>::infinity()), dtype);
}

// x rounded to nearest even, as a value.
inline double RoundNearest(double x, Dtype dtype) {
  if (!std::isfinite(x) || dtype == Dtype::kFloat64) return x;
  const double spacing = Spacing(x, dtype);
  // Exact division by a power of two; nearbyint rounds halves to even.
  const double rounded = std::nearbyint(x / spacing) * spacing;
  const double max = FormatOf(dtype).max;
  if (rounded > max) return std::numeric_limits<double>::infinity();
  if (rounded < -max) return -std::numeric_limits<double>::infinity();
  return rounded;
}

// The bits that store a value (rounded to nearest even), in the low DtypeBytes(dtype) bytes.
inline uint64_t StorageBits(double x, Dtype dtype) {
  if (dtype == Dtype::kFloat64) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  const float single = static_cast<float>(RoundNearest(x, dtype));
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  if (dtype == Dtype::kFloat32) return bits;
  if (dtype == Dtype::kBFloat16) return std::isnan(single) ? (bits >> 16) | 0x40u : bits >> 16;
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const double magnitude = std::fabs(static_cast<double>(single));
  if (std::isnan(single)) return sign | 0x7E00u;
  if (std::isinf(single)) return sign | 0x7C00u;
  if (magnitude < 0x1p-14) return sign | static_cast<uint32_t>(magnitude * 0x1p24);
  return sign | (((bits & 0x7FFFFFFFu) - (112u << 23)) >> 13);
}

// The bits of a constant, which like every value is first rounded to the type that 16-bit ones are computed in.
inline uint64_t ConstantBits(double x, Dtype dtype) {
  return StorageBits(dtype == Dtype::kFloat64 ? x : static_cast<double>(static_cast<float>(x)), dtype);
}

}  // namespace nninit

#endif  // NNINIT_TYPES_ROUNDING_H_
