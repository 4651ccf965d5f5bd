// Normals of float64, which go through the C library's functions, as PyTorch's do.
#include <cmath>

#include "random/mt19937.h"
#include "torch/kernels.h"

namespace nninit {
namespace {

uint64_t Word64(const uint32_t* words) { return (uint64_t{Temper(words[0])} << 32) | Temper(words[1]); }

double Unit53(uint64_t word) { return static_cast<double>(word & ((uint64_t{1} << 53) - 1)) * 0x1p-53; }

constexpr double kTwoPi = 6.283185307179586476925;

void NormalBlock64(const TorchNormal& p, const uint32_t* words, double* out) {
  for (size_t i = 0; i < 8; ++i) {
    const double u1 = 1 - Unit53(Word64(words + 2 * i));
    const double theta = kTwoPi * Unit53(Word64(words + 2 * (i + 8)));
    const double radius = std::sqrt(-2 * std::log(u1));
    out[i] = std::fma(radius * std::cos(theta), p.std, p.mean);
    out[i + 8] = std::fma(radius * std::sin(theta), p.std, p.mean);
  }
}

}  // namespace

void TorchNormalWords64(const TorchNormal& params, const uint32_t* words, size_t blocks, double* out) {
  for (size_t i = 0; i < blocks * kTorchBlock; i += kTorchBlock) NormalBlock64(params, words + 2 * i, out + i);
}

size_t TorchRedrawWords64(const TorchNormal& p, const uint32_t* words, size_t blocks, double* out, uint32_t first,
                          uint32_t* pending, bool* before) {
  size_t left = 0;
  const auto outside = [&](double x) { return x < p.low || x > p.high; };
  for (size_t block = 0; block < blocks; ++block) {
    double* at = out + block * kTorchBlock;
    double values[kTorchBlock];
    bool drawn = false;
    bool again = false;
    for (size_t i = 0; i < kTorchBlock; ++i) {
      if (!outside(at[i])) continue;
      if (!drawn) NormalBlock64(p, words + 2 * block * kTorchBlock, values);
      drawn = true;
      at[i] = values[i];
      again = again || outside(at[i]);
    }
    *before = *before || drawn;
    if (again) pending[left++] = first + static_cast<uint32_t>(block);
  }
  return left;
}

void TorchNormalPair(uint64_t word1, uint64_t word2, double* first, double* second) {
  const double radius = std::sqrt(-2 * std::log1p(-Unit53(word2)));
  const double theta = kTwoPi * Unit53(word1);
  *first = radius * std::cos(theta);
  *second = radius * std::sin(theta);
}

}  // namespace nninit
