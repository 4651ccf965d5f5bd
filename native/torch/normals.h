// normal_ and trunc_normal_ of the torch engine.
#ifndef NNINIT_TORCH_NORMALS_H_
#define NNINIT_TORCH_NORMALS_H_

#include "system/cancel_flag.h"
#include "torch/kernels.h"
#include "torch/state.h"
#include "torch/word_reader.h"

namespace nninit {

// Fills shorter than this take another way.
constexpr uint64_t kTorchShort = 16;

// How a fill of at least 16 normals lies in the stream: blocks of 16 in order, and where the length is no multiple of
// 16, the last 16 elements from 16 uniforms more.
struct TorchNormalLayout {
  uint64_t main;       // elements that come from the blocks
  bool tail;           // whether the last 16 come from further words
  uint64_t tail_word;  // the first of those
  uint64_t words;      // all together
};

TorchNormalLayout LayOutNormals(Dtype dtype, uint64_t total);

// A draw of elements [begin, begin + count) of a fill: `begin` is a multiple of 16 or the range's own.
struct TorchNormals {
  TorchNormal params;
  Dtype dtype;
  uint64_t total;
  bool redraw;  // while a value lies outside the bounds
};

// Returns the number of draws; 0 if cancelled, or if values still lie outside after MostTorchRounds.
uint64_t NormalSegment(const TorchNormals& normals, const Range& range, const CancelFlag& cancel, WordReader* words);

// A whole fill of fewer than 16 elements, rounded to the dtype. Advances the state. Returns the number of draws, or 0
// as NormalSegment does.
uint64_t ShortNormals(const TorchNormals& normals, TorchState* state, double* out);

}  // namespace nninit

#endif  // NNINIT_TORCH_NORMALS_H_
