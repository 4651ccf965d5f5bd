// Grids: the few values that types of 8 bits and less have, and how a value becomes a code of one.
#ifndef NNINIT_TYPES_GRID_H_
#define NNINIT_TYPES_GRID_H_

#include <cstdint>
#include <cstring>
#include <limits>

#include "types/compiler.h"

namespace nninit {

// By the codes of lib/core/grid.ts.
enum class Grid : int {
  kFloat8E4M3 = 0,
  kFloat8E5M2 = 1,
  kFloat8E8M0 = 2,
  kFloat4E2M1 = 3,
  kInt8 = 4,
  kUInt8 = 5,
  kInt4 = 6,
  kUInt4 = 7
};
constexpr int kGrids = 8;

// Bits of a code; of 4 bits two share a byte, the first in the lower half.
constexpr int GridBits(Grid grid) {
  switch (grid) {
    case Grid::kFloat8E4M3:
    case Grid::kFloat8E5M2:
    case Grid::kFloat8E8M0:
    case Grid::kInt8:
    case Grid::kUInt8:
      return 8;
    case Grid::kFloat4E2M1:
    case Grid::kInt4:
    case Grid::kUInt4:
      return 4;
  }
  Unreachable();
}

// A float32 becomes the code of the grid's value nearest to min(max(x·factor, low), high), to the even code where two
// are as near; `zero`, of integers, is added to it. low and high are on the grid.
struct Encoding {
  Grid grid;
  float factor;
  float low, high;
  int32_t zero;
};

// A floating-point grid with a sign: bits of the fraction, and the exponent of the least normal value.
struct FloatGrid {
  int fraction;
  int min_exponent;
};

inline float FloatOfBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline uint32_t BitsOfFloat(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// 2^e, for a normal result.
constexpr uint32_t BitsOfPower(int e) { return static_cast<uint32_t>(e + 127) << 23; }

// Added to an integer below 2^22 it leaves it, rounded to even, in the low bits of the sum.
constexpr float kIntegerMagic = 0x1.8p23f;

inline uint32_t EncodeFloat(float y, const FloatGrid& grid) {
  const uint32_t bits = BitsOfFloat(y);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  const int drop = 23 - grid.fraction;
  uint32_t code;
  if (magnitude < BitsOfPower(grid.min_exponent)) {
    // The sum's last bit is worth what the grid's subnormal codes count.
    const uint32_t magic = BitsOfPower(grid.min_exponent + drop);
    code = BitsOfFloat(FloatOfBits(magnitude) + FloatOfBits(magic)) - magic;
  } else {
    const uint32_t odd = (magnitude >> drop) & 1u;
    const uint32_t rebias = static_cast<uint32_t>(grid.min_exponent + 126) << grid.fraction;
    code = ((magnitude + odd + (1u << (drop - 1)) - 1u) >> drop) - rebias;
  }
  return code;
}

// The exponent alone: 2^(code − 127), no sign and no zero. As PyTorch and ml_dtypes have it, halves go up, and so does
// all above 2^−127, the least one, which is no normal float32.
inline uint32_t EncodeExponent(float y) {
  const uint32_t bits = BitsOfFloat(y);
  return (bits + 0x3FFFFFu + (bits >> 23 == 0 ? 0u : 1u)) >> 23;
}

constexpr FloatGrid FloatGridOf(Grid grid) {
  return grid == Grid::kFloat8E4M3 ? FloatGrid{3, -6} : grid == Grid::kFloat8E5M2 ? FloatGrid{2, -14} : FloatGrid{1, 0};
}

// The code in the low bits, in plain C++; kernels/codes.cc has it by lanes.
inline uint32_t EncodeOne(float x, const Encoding& encoding) {
  float y = x * encoding.factor;
  // The bound where they are equal, which −0 and 0 are.
  y = y > encoding.low ? y : encoding.low;
  y = y < encoding.high ? y : encoding.high;
  switch (encoding.grid) {
    case Grid::kFloat8E4M3:
    case Grid::kFloat8E5M2:
      return EncodeFloat(y, FloatGridOf(encoding.grid)) | ((BitsOfFloat(y) >> 24) & 0x80u);
    case Grid::kFloat4E2M1:
      return EncodeFloat(y, FloatGridOf(encoding.grid)) | ((BitsOfFloat(y) >> 28) & 0x8u);
    case Grid::kFloat8E8M0:
      return EncodeExponent(y);
    case Grid::kInt8:
    case Grid::kUInt8:
    case Grid::kInt4:
    case Grid::kUInt4: {
      const uint32_t code = BitsOfFloat(y + kIntegerMagic) - BitsOfFloat(kIntegerMagic);
      return (code + static_cast<uint32_t>(encoding.zero)) & (GridBits(encoding.grid) == 4 ? 0xFu : 0xFFu);
    }
  }
  Unreachable();
}

inline float DecodeFloat(uint32_t magnitude, const FloatGrid& grid) {
  const uint32_t fraction = magnitude & ((1u << grid.fraction) - 1u);
  const uint32_t exponent = magnitude >> grid.fraction;
  const float last = FloatOfBits(BitsOfPower(grid.min_exponent - grid.fraction));
  if (exponent == 0) return static_cast<float>(fraction) * last;
  return static_cast<float>((1u << grid.fraction) + fraction) * last *
         FloatOfBits(BitsOfPower(static_cast<int>(exponent) - 1));
}

// The value of a code: NaN and infinities where the type has them.
inline float DecodeOne(uint32_t code, Grid grid) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const uint32_t magnitude = code & 0x7Fu;
  const float sign = (code & 0x80u) == 0 ? 1.0f : -1.0f;
  switch (grid) {
    case Grid::kFloat8E4M3:
      return magnitude == 0x7Fu ? kNaN : sign * DecodeFloat(magnitude, FloatGridOf(grid));
    case Grid::kFloat8E5M2:
      if (magnitude > 0x7Cu) return kNaN;
      return sign * (magnitude == 0x7Cu ? kInfinity : DecodeFloat(magnitude, FloatGridOf(grid)));
    case Grid::kFloat8E8M0:
      return code == 0xFFu ? kNaN : code == 0 ? 0x1p-127f : FloatOfBits(code << 23);
    case Grid::kFloat4E2M1:
      return ((code & 8u) == 0 ? 1.0f : -1.0f) * DecodeFloat(code & 7u, FloatGridOf(grid));
    case Grid::kInt8:
      return static_cast<float>(static_cast<int8_t>(code));
    case Grid::kUInt8:
    case Grid::kUInt4:
      return static_cast<float>(code);
    case Grid::kInt4:
      return static_cast<float>(static_cast<int32_t>(code ^ 8u) - 8);
  }
  Unreachable();
}

}  // namespace nninit

#endif  // NNINIT_TYPES_GRID_H_
