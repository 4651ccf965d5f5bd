// What is computed in float64, through the C library's functions in PyTorch: normals of float64, and of short fills.
#include "torch/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "torch/normals64.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "torch/libm-inl.h"
#include "torch/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr double kTwoPi = 6.283185307179586476925;

// Eight pairs of uniforms to the sixteen normals of a block.
HWY_INLINE void NormalBlock64(const TorchNormal& p, const uint32_t* HWY_RESTRICT words, double* HWY_RESTRICT out) {
  const hn::CappedTag<double, 8> d;
  const auto mean = hn::Set(d, p.mean);
  const auto std = hn::Set(d, p.std);
  for (size_t i = 0; i < 8; i += hn::Lanes(d)) {
    auto sine = mean;
    auto cosine = mean;
    LibmSinCos(d, hn::Mul(hn::Set(d, kTwoPi), Uniform53(d, words + 2 * (i + 8))), sine, cosine);
    const auto log = LibmLog(d, hn::Sub(hn::Set(d, 1.0), Uniform53(d, words + 2 * i)));
    const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0), log));
    hn::StoreU(FusedMulAdd(d, hn::Mul(radius, cosine), std, mean), d, out + i);
    hn::StoreU(FusedMulAdd(d, hn::Mul(radius, sine), std, mean), d, out + i + 8);
  }
}

void NormalWords64(const TorchNormal& p, const uint32_t* words, size_t blocks, double* out) {
  for (size_t i = 0; i < blocks * kTorchBlock; i += kTorchBlock) NormalBlock64(p, words + 2 * i, out + i);
}

size_t RedrawWords64(const TorchNormal& p, const uint32_t* words, size_t blocks, double* out, uint32_t first,
                     uint32_t* pending, bool* before) {
  size_t left = 0;
  const auto outside = [&](double x) { return x < p.low || x > p.high; };
  for (size_t block = 0; block < blocks; ++block) {
    double* at = out + block * kTorchBlock;
    if (std::none_of(at, at + kTorchBlock, outside)) continue;
    *before = true;
    double values[kTorchBlock];
    NormalBlock64(p, words + 2 * block * kTorchBlock, values);
    for (size_t i = 0; i < kTorchBlock; ++i) {
      if (outside(at[i])) at[i] = values[i];
    }
    if (std::any_of(at, at + kTorchBlock, outside)) pending[left++] = first + static_cast<uint32_t>(block);
  }
  return left;
}

// Of each four words the first two make the angle, the last two the radius.
void ShortNormals64(const uint32_t* words, size_t pairs, double* out) {
  const hn::CappedTag<double, 8> d;
  HWY_ALIGN uint32_t angles[16] = {};
  HWY_ALIGN uint32_t radii[16] = {};
  for (size_t i = 0; i < 2 * pairs; ++i) {
    angles[i] = words[2 * (i - i % 2) + i % 2];
    radii[i] = words[2 * (i - i % 2) + i % 2 + 2];
  }
  HWY_ALIGN double cosines[8];
  HWY_ALIGN double sines[8];
  for (size_t i = 0; i < pairs; i += hn::Lanes(d)) {
    auto sine = hn::Zero(d);
    auto cosine = hn::Zero(d);
    LibmSinCos(d, hn::Mul(hn::Set(d, kTwoPi), Uniform53(d, angles + 2 * i)), sine, cosine);
    const auto log = LibmLog1p(d, hn::Neg(Uniform53(d, radii + 2 * i)));
    const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0), log));
    hn::Store(hn::Mul(radius, cosine), d, cosines + i);
    hn::Store(hn::Mul(radius, sine), d, sines + i);
  }
  for (size_t i = 0; i < pairs; ++i) {
    out[2 * i] = cosines[i];
    out[2 * i + 1] = sines[i];
  }
}

void Logarithms(double* numbers, size_t count) {
  const hn::CappedTag<double, 8> d;
  const auto least = hn::Set(d, 0x1p-53);
  for (size_t i = 0; i < count; i += 8) {
    HWY_ALIGN double some[8] = {};
    const size_t end = std::min<size_t>(8, count - i);
    std::copy_n(numbers + i, end, some);
    for (size_t k = 0; k < end; k += hn::Lanes(d)) {
      const auto x = hn::Load(d, some + k);
      const auto log = LibmLog(d, hn::Max(x, least));
      const auto infinite = hn::Set(d, -std::numeric_limits<double>::infinity());
      hn::Store(hn::IfThenElse(hn::Eq(x, hn::Zero(d)), infinite, log), d, some + k);
    }
    std::copy_n(some, end, numbers + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(NormalWords64);
HWY_EXPORT(RedrawWords64);
HWY_EXPORT(ShortNormals64);
HWY_EXPORT(Logarithms);

void TorchNormalWords64(const TorchNormal& params, const uint32_t* words, size_t blocks, double* out) {
  HWY_DYNAMIC_DISPATCH(NormalWords64)(params, words, blocks, out);
}

size_t TorchRedrawWords64(const TorchNormal& params, const uint32_t* words, size_t blocks, double* out, uint32_t first,
                          uint32_t* pending, bool* before) {
  return HWY_DYNAMIC_DISPATCH(RedrawWords64)(params, words, blocks, out, first, pending, before);
}

void TorchShortNormals(const uint32_t* words, size_t pairs, double* out) {
  HWY_DYNAMIC_DISPATCH(ShortNormals64)(words, pairs, out);
}

void TorchLogarithms(double* numbers, size_t count) { HWY_DYNAMIC_DISPATCH(Logarithms)(numbers, count); }

}  // namespace nninit
#endif
