#include "kernels/codes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fill/codes.h"
#include "test/support.h"

namespace nninit {
namespace {

constexpr Encoding kEncodings[] = {
    {Grid::kFloat8E4M3, 1.0f, -448, 448, 0},
    {Grid::kFloat8E5M2, 0.37f, -57344, 57344, 0},
    {Grid::kFloat8E8M0, 1.0f, 0x1p-127f, 0x1p127f, 0},
    {Grid::kFloat4E2M1, 51.3f, -6, 6, 0},
    {Grid::kInt8, 3.0f, -127, 127, 0},
    {Grid::kUInt8, 3.0f, -127, 127, 128},
    {Grid::kInt4, 1.0f, -7, 7, 0},
    {Grid::kUInt4, 1.0f, -7, 7, 8},
    // Of fills whose bound is 0, which −0 and 0 both equal.
    {Grid::kFloat8E4M3, 1.0f, 0, 448, 0},
    {Grid::kFloat8E5M2, 1.0f, -57344, 0, 0},
    {Grid::kFloat4E2M1, 1.0f, 0, 6, 0},
};

// Finite float32 of all exponents and signs, ties among them, and many in the range of grids.
std::vector<float> Inputs() {
  std::vector<float> values;
  for (uint32_t upper = 0; upper < 65536; ++upper) {
    if ((upper & 0x7F80u) == 0x7F80u) continue;
    for (const uint32_t lower : {0u, 1u, 0x8000u, 0xFFFFu}) values.push_back(FloatOfBits(upper << 16 | lower));
  }
  for (int i = -40000; i <= 40000; ++i) values.push_back(static_cast<float>(i) / 64);
  return values;
}

TEST_CASE("codes are the same on every target, in vectors and behind them, and as they are stored") {
  const std::vector<float> values = Inputs();
  for (const Encoding& encoding : kEncodings) {
    CAPTURE(static_cast<int>(encoding.grid));
    std::vector<uint8_t> expected(values.size());
    for (size_t i = 0; i < values.size(); ++i) expected[i] = static_cast<uint8_t>(EncodeOne(values[i], encoding));
    const bool half = GridBits(encoding.grid) == 4;
    test::ForEachTarget([&](const std::string&) {
      for (const size_t begin : {size_t{0}, size_t{1}, values.size() - 37}) {
        const size_t count = (values.size() - begin) / 2 * 2;
        std::vector<uint8_t> codes(count);
        EncodeBytes(values.data() + begin, count, encoding, codes.data());
        CHECK(std::equal(codes.begin(), codes.end(), expected.begin() + static_cast<ptrdiff_t>(begin)));
        std::vector<uint8_t> stored(half ? count / 2 : count);
        Encode(values.data() + begin, count, encoding, stored.data());
        size_t differing = 0;
        for (size_t i = 0; i < count; ++i) {
          const int code = half ? (stored[i / 2] >> (4 * (i % 2))) & 15 : stored[i];
          differing += code != expected[begin + i] ? 1 : 0;
        }
        CHECK(differing == 0);
      }
    });
  }
}

TEST_CASE("every finite code comes back from its value") {
  for (int grid = 0; grid < kGrids; ++grid) {
    const Grid kind = static_cast<Grid>(grid);
    for (uint32_t code = 0; code < 1u << GridBits(kind); ++code) {
      const float value = DecodeOne(code, kind);
      if (!std::isfinite(value)) continue;
      CAPTURE(grid);
      CHECK(EncodeOne(value, {kind, 1.0f, -3e38f, 3e38f, 0}) == code);
    }
  }
}

TEST_CASE("a fill of codes is cut anywhere, on any number of threads") {
  const NormalFill fill{0, 1};
  const Key key{7, 9};
  constexpr size_t kCount = 600000;
  for (const Encoding& encoding : {kEncodings[0], kEncodings[7]}) {
    const size_t perByte = 8 / static_cast<size_t>(GridBits(encoding.grid));
    std::vector<uint8_t> whole(kCount / perByte);
    CHECK(FillCodes(fill, key, encoding, 0, kCount, whole.data(), 1));
    const auto bytes = test::Run(fill, key, Dtype::kFloat32, kCount);
    std::vector<uint8_t> expected(whole.size());
    Encode(reinterpret_cast<const float*>(bytes.data()), kCount, encoding, expected.data());
    CHECK(whole == expected);
    for (const size_t begin : {size_t{0}, size_t{2}, size_t{4094}, size_t{262146}}) {
      std::vector<uint8_t> part((kCount - begin) / perByte);
      CHECK(FillCodes(fill, key, encoding, begin, kCount - begin, part.data(), 3));
      CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<ptrdiff_t>(begin / perByte)));
    }
  }
}

TEST_CASE("words are packed from codes that lie apart, into rows with room between them") {
  constexpr uint64_t kRows = 150, kWords = 5, kStep = 7;
  std::vector<uint8_t> codes(kRows * kWords * 8);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 7 + i / 16);
  const WordLayout layouts[] = {
      {kRows, kWords, 8, 8 * kRows, kStep, 4, {0, 1, 2, 3, 4, 5, 6, 7}},
      {kRows,
       kWords,
       1,
       8 * kRows,
       kStep,
       4,
       {0, 2 * kRows, 4 * kRows, 6 * kRows, kRows, 3 * kRows, 5 * kRows, 7 * kRows}},
      {kRows, kWords, 8 * kWords, 8, kWords, 4, {1, 0, 2, 3, 4, 5, 6, 7}},
      {1, kWords, 0, 16, kWords, 4, {0, 2, 4, 6, 8, 10, 12, 14}},
      {kRows, kWords, 4, 4 * kRows, kStep, 8, {0, 1, 2, 3}},
      {kRows, kWords, 1, 4 * kRows, kStep, 8, {0, 2 * kRows, kRows, 3 * kRows}},
  };
  for (const WordLayout& layout : layouts) {
    std::vector<uint8_t> own(codes);
    if (layout.bits == 4) {
      for (uint8_t& code : own) code &= 15;
    }
    std::vector<uint32_t> expected(kRows * kStep, 0xA5A5A5A5u), words(expected);
    for (size_t row = 0; row < layout.rows; ++row) {
      for (size_t w = 0; w < kWords; ++w) {
        uint32_t word = 0;
        for (size_t k = 0; k < 32 / layout.bits; ++k) {
          const uint32_t code = own[row * layout.row_step + w * layout.word_step + layout.code_step[k]];
          word |= code << (layout.bits * k);
        }
        expected[row * layout.out_step + w] = word;
      }
    }
    PackWords(own.data(), layout, words.data());
    CHECK(words == expected);
  }
}

}  // namespace
}  // namespace nninit
