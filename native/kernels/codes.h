#ifndef NNINIT_KERNELS_CODES_H_
#define NNINIT_KERNELS_CODES_H_

#include <cstddef>
#include <cstdint>

#include "types/grid.h"

namespace nninit {

// Finite float32 values to codes, one a byte.
void EncodeBytes(const float* values, size_t count, const Encoding& encoding, uint8_t* out);

// The same, as they are stored: of 4 bits two a byte, for which the count is even.
void Encode(const float* values, size_t count, const Encoding& encoding, uint8_t* out);

// Stored codes to their values; the zero point is left in.
void Decode(const uint8_t* codes, size_t count, Grid grid, float* out);

// Words of eight 4-bit codes or four of 8 bits that lie apart: code k of word w of row r, the k-th from the lowest
// bits, is codes[r·row_step + w·word_step + code_step[k]], and the word goes to out[r·out_step + w].
struct WordLayout {
  uint64_t rows, row_words;
  uint64_t row_step, word_step, out_step;
  uint64_t bits;  // of a code
  uint64_t code_step[8];
};

// Packs the words from codes, one a byte.
void PackWords(const uint8_t* codes, const WordLayout& layout, uint32_t* out);

}  // namespace nninit

#endif  // NNINIT_KERNELS_CODES_H_
