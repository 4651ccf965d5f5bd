#include "kernels/codes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/codes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/within-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Bits = hn::RebindToUnsigned<Floats>;
using Codes = hn::Vec<Bits>;

// EncodeFloat with the sign, by lanes.
template <int kFraction, int kMinExponent, int kBits>
HWY_INLINE Codes EncodeFloats(Floats d, hn::Vec<Floats> y) {
  const Bits du;
  constexpr int kDrop = 23 - kFraction;
  const auto bits = hn::BitCast(du, y);
  const auto magnitude = hn::And(bits, hn::Set(du, 0x7FFFFFFFu));
  const auto odd = hn::And(hn::ShiftRight<kDrop>(magnitude), hn::Set(du, 1u));
  constexpr uint32_t kRound = (1u << (kDrop - 1)) - 1u - (static_cast<uint32_t>(kMinExponent + 126) << 23);
  const auto normal = hn::ShiftRight<kDrop>(hn::Add(magnitude, hn::Add(odd, hn::Set(du, kRound))));
  const auto magic = hn::Set(du, BitsOfPower(kMinExponent + kDrop));
  const auto sum = hn::Add(hn::BitCast(d, magnitude), hn::BitCast(d, magic));
  const auto subnormal = hn::Sub(hn::BitCast(du, sum), magic);
  const auto small = hn::Lt(hn::Abs(y), hn::BitCast(d, hn::Set(du, BitsOfPower(kMinExponent))));
  const auto code = hn::IfThenElse(hn::RebindMask(du, small), subnormal, normal);
  const auto sign = hn::ShiftRight<32 - kBits>(hn::AndNot(hn::Set(du, 0x7FFFFFFFu), bits));
  return hn::Or(code, sign);
}

template <Grid kGrid>
HWY_INLINE Codes EncodeLanes(Floats d, hn::Vec<Floats> x, const Encoding& encoding) {
  const Bits du;
  const auto y = Within(d, hn::Mul(x, hn::Set(d, encoding.factor)), encoding.low, encoding.high);
  if constexpr (kGrid == Grid::kFloat8E4M3) {
    return EncodeFloats<3, -6, 8>(d, y);
  } else if constexpr (kGrid == Grid::kFloat8E5M2) {
    return EncodeFloats<2, -14, 8>(d, y);
  } else if constexpr (kGrid == Grid::kFloat4E2M1) {
    return EncodeFloats<1, 0, 4>(d, y);
  } else if constexpr (kGrid == Grid::kFloat8E8M0) {
    const auto bits = hn::BitCast(du, y);
    const auto normal = hn::Min(hn::ShiftRight<23>(bits), hn::Set(du, 1u));
    return hn::ShiftRight<23>(hn::Add(bits, hn::Add(normal, hn::Set(du, 0x3FFFFFu))));
  } else {
    const auto magic = hn::Set(d, kIntegerMagic);
    const auto whole = hn::Sub(hn::BitCast(du, hn::Add(y, magic)), hn::BitCast(du, magic));
    const auto code = hn::Add(whole, hn::Set(du, static_cast<uint32_t>(encoding.zero)));
    return hn::And(code, hn::Set(du, GridBits(kGrid) == 4 ? 0xFu : 0xFFu));
  }
}

template <Grid kGrid>
void EncodeAs(const float* HWY_RESTRICT values, size_t count, const Encoding& encoding, uint8_t* HWY_RESTRICT out) {
  const Floats d;
  const hn::Rebind<uint8_t, Floats> d8;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const auto first = EncodeLanes<kGrid>(d, hn::LoadU(d, values + i), encoding);
    const auto second = EncodeLanes<kGrid>(d, hn::LoadU(d, values + i + lanes), encoding);
    hn::StoreU(hn::TruncateTo(d8, first), d8, out + i);
    hn::StoreU(hn::TruncateTo(d8, second), d8, out + i + lanes);
  }
  for (; i < count; ++i) out[i] = static_cast<uint8_t>(EncodeOne(values[i], encoding));
}

void EncodeAll(const float* values, size_t count, const Encoding& encoding, uint8_t* out) {
  switch (encoding.grid) {
    case Grid::kFloat8E4M3:
      return EncodeAs<Grid::kFloat8E4M3>(values, count, encoding, out);
    case Grid::kFloat8E5M2:
      return EncodeAs<Grid::kFloat8E5M2>(values, count, encoding, out);
    case Grid::kFloat8E8M0:
      return EncodeAs<Grid::kFloat8E8M0>(values, count, encoding, out);
    case Grid::kFloat4E2M1:
      return EncodeAs<Grid::kFloat4E2M1>(values, count, encoding, out);
    case Grid::kInt8:
      return EncodeAs<Grid::kInt8>(values, count, encoding, out);
    case Grid::kUInt8:
      return EncodeAs<Grid::kUInt8>(values, count, encoding, out);
    case Grid::kInt4:
      return EncodeAs<Grid::kInt4>(values, count, encoding, out);
    case Grid::kUInt4:
      return EncodeAs<Grid::kUInt4>(values, count, encoding, out);
  }
}

// Two codes, one a byte, to one byte.
void PackPairs(const uint8_t* HWY_RESTRICT codes, size_t count, uint8_t* HWY_RESTRICT out) {
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<uint16_t> d;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const hn::Repartition<uint8_t, decltype(d)> bytes;
  for (; i + hn::Lanes(bytes) <= count; i += hn::Lanes(bytes)) {
    const auto pair = hn::BitCast(d, hn::LoadU(bytes, codes + i));
    hn::StoreU(hn::TruncateTo(d8, hn::Or(pair, hn::ShiftRight<4>(pair))), d8, out + i / 2);
  }
#endif
  for (; i < count; i += 2) out[i / 2] = static_cast<uint8_t>(codes[i] | (codes[i + 1] << 4));
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(EncodeAll);
HWY_EXPORT(PackPairs);

void EncodeBytes(const float* values, size_t count, const Encoding& encoding, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(EncodeAll)(values, count, encoding, out);
}

void Encode(const float* values, size_t count, const Encoding& encoding, uint8_t* out) {
  if (GridBits(encoding.grid) == 8) return EncodeBytes(values, count, encoding, out);
  constexpr size_t kAtOnce = 2048;
  uint8_t codes[kAtOnce];
  for (size_t done = 0, n; done < count; done += n) {
    n = std::min(count - done, kAtOnce);
    EncodeBytes(values + done, n, encoding, codes);
    HWY_DYNAMIC_DISPATCH(PackPairs)(codes, n, out + done / 2);
  }
}

void Decode(const uint8_t* codes, size_t count, Grid grid, float* out) {
  float table[256];
  const bool half = GridBits(grid) == 4;
  for (uint32_t code = 0; code < (half ? 16u : 256u); ++code) table[code] = DecodeOne(code, grid);
  if (!half) {
    for (size_t i = 0; i < count; ++i) out[i] = table[codes[i]];
    return;
  }
  for (size_t i = 0; i < count; ++i) out[i] = table[(codes[i / 2] >> (4 * (i % 2))) & 0xF];
}

namespace {

// Neighbours to a word.
template <int kBits>
uint32_t PackNeighbours(const uint8_t* codes) {
  if constexpr (kBits == 8) {
    uint32_t word = 0;
    for (int k = 0; k < 4; ++k) word |= static_cast<uint32_t>(codes[k]) << (8 * k);
    return word;
  }
  uint64_t x;
  std::memcpy(&x, codes, sizeof x);
  x = (x | (x >> 4)) & 0x00FF00FF00FF00FFu;
  x = (x | (x >> 8)) & 0x0000FFFF0000FFFFu;
  return static_cast<uint32_t>(x | (x >> 16));
}

template <int kBits>
void PackWordsOf(const uint8_t* codes, const WordLayout& layout, uint32_t* out) {
  constexpr int kCodes = 32 / kBits;
  const auto& step = layout.code_step;
  bool neighbours = true;
  for (uint64_t k = 0; k < kCodes; ++k) neighbours = neighbours && step[k] == k;
  // Down the columns, along which codes are neighbours: some rows at a time, whose lines stay in the cache.
  constexpr uint64_t kRows = 64;
  for (uint64_t row = 0; row < layout.rows; row += kRows) {
    const uint64_t n = std::min(kRows, layout.rows - row);
    for (uint64_t column = 0; column < layout.row_words; ++column) {
      const uint8_t* from = codes + row * layout.row_step + column * layout.word_step;
      uint32_t* to = out + row * layout.out_step + column;
      if (neighbours) {
        for (uint64_t i = 0; i < n; ++i) to[i * layout.out_step] = PackNeighbours<kBits>(from + i * layout.row_step);
        continue;
      }
      uint32_t words[kRows] = {};
      for (int k = 0; k < kCodes; ++k) {
        const uint8_t* part = from + step[k];
        if (layout.row_step == 1) {
          for (uint64_t i = 0; i < n; ++i) words[i] |= static_cast<uint32_t>(part[i]) << (kBits * k);
        } else {
          for (uint64_t i = 0; i < n; ++i) words[i] |= static_cast<uint32_t>(part[i * layout.row_step]) << (kBits * k);
        }
      }
      for (uint64_t i = 0; i < n; ++i) to[i * layout.out_step] = words[i];
    }
  }
}

}  // namespace

void PackWords(const uint8_t* codes, const WordLayout& layout, uint32_t* out) {
  layout.bits == 4 ? PackWordsOf<4>(codes, layout, out) : PackWordsOf<8>(codes, layout, out);
}

}  // namespace nninit
#endif
