// From words of MT19937 to elements, as PyTorch makes them.
#ifndef NNINIT_TORCH_KERNELS_H_
#define NNINIT_TORCH_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Normals come in blocks of 16 elements.
constexpr size_t kTorchBlock = 16;

// Words that an element takes.
inline size_t TorchWords(Dtype dtype) { return dtype == Dtype::kFloat64 ? 2 : 1; }

// What uniform_(a, b) computes with, in the dtype's arithmetic: values in [wrap_low, wrap_high] are those that would be
// stored as b, and become a.
struct TorchUniform {
  double a, scale, wrap_low, wrap_high;
};

TorchUniform PrepareTorchUniform(const UniformFill& fill, Dtype dtype);

// Elements from as many words (twice as many for float64), not yet tempered.
void TorchUniformWords(const TorchUniform& params, const uint32_t* words, const Range& range);

// A normal distribution, and the bounds outside of which a value is drawn again.
struct TorchNormal {
  double mean, std, low, high;
};

// Whole blocks of normals. Bounds are not looked at.
void TorchNormalWords(const TorchNormal& params, Dtype dtype, const uint32_t* words, size_t blocks, void* out);

// The same, but only values outside [low, high] are replaced. Writes the numbers of the blocks that still hold such,
// counted from `first`, and returns how many; `pending` has room for all. `before` says whether any was outside before.
size_t TorchRedrawWords(const TorchNormal& params, Dtype dtype, const uint32_t* words, size_t blocks, void* out,
                        uint32_t first, uint32_t* pending, bool* before);

// The same for float64.
void TorchNormalWords64(const TorchNormal& params, const uint32_t* words, size_t blocks, double* out);
size_t TorchRedrawWords64(const TorchNormal& params, const uint32_t* words, size_t blocks, double* out, uint32_t first,
                          uint32_t* pending, bool* before);

// Pairs of standard normals of short fills, in float64 for every dtype, from four words each; at most eight pairs.
void TorchShortNormals(const uint32_t* words, size_t pairs, double* out);

// Replaces uniforms of [0, 1), of no more than 53 bits, by their natural logarithms.
void TorchLogarithms(double* numbers, size_t count);

}  // namespace nninit

#endif  // NNINIT_TORCH_KERNELS_H_
