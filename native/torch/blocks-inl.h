// Blocks of sixteen normals, in the float32 that all but float64 compute in. Per-target code.
#if defined(NNINIT_TORCH_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_TORCH_BLOCKS_INL_H_
#undef NNINIT_TORCH_BLOCKS_INL_H_
#else
#define NNINIT_TORCH_BLOCKS_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/store-inl.h"
#include "torch/kernels.h"
#include "torch/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One block.
HWY_INLINE void NormalBlock(float mean, float std, const uint32_t* HWY_RESTRICT words, float* HWY_RESTRICT out) {
  const hn::CappedTag<float, 8> d;
  for (size_t i = 0; i < 8; i += hn::Lanes(d)) {
    auto x = hn::Zero(d);
    auto y = hn::Zero(d);
    NormalPairs(d, Uniform24(d, words + i), Uniform24(d, words + 8 + i), hn::Set(d, mean), hn::Set(d, std), x, y);
    hn::StoreU(x, d, out + i);
    hn::StoreU(y, d, out + 8 + i);
  }
}

template <class T>
HWY_INLINE void StoreBlock(const float* HWY_RESTRICT block, T* HWY_RESTRICT out) {
  const hn::CappedTag<float, 16> d;
  for (size_t i = 0; i < kTorchBlock; i += hn::Lanes(d)) StoreAs(d, hn::LoadU(d, block + i), out + i);
}

#if NNINIT_AVX512
// Vectors of 16: the first halves of two blocks beside each other, then the second ones.
struct PairOfBlocks {
  const hn::CappedTag<float, 16> d;
  hn::Vec<hn::CappedTag<float, 16>> x, y;

  HWY_INLINE PairOfBlocks(float mean, float std, const uint32_t* HWY_RESTRICT words0,
                          const uint32_t* HWY_RESTRICT words1) {
    const auto u = Uniform24(d, words0);
    const auto v = Uniform24(d, words1);
    NormalPairs(d, hn::ConcatLowerLower(d, v, u), hn::ConcatUpperUpper(d, v, u), hn::Set(d, mean), hn::Set(d, std), x,
                y);
  }

  template <class T>
  HWY_INLINE void Store(T* HWY_RESTRICT out0, T* HWY_RESTRICT out1) const {
    StoreAs(d, hn::ConcatLowerLower(d, y, x), out0);
    StoreAs(d, hn::ConcatUpperUpper(d, y, x), out1);
  }
};
#endif

// Two blocks, from words and to elements that need not be neighbours.
template <class T>
HWY_INLINE void BlockPair(float mean, float std, const uint32_t* HWY_RESTRICT words0,
                          const uint32_t* HWY_RESTRICT words1, T* HWY_RESTRICT out0, T* HWY_RESTRICT out1) {
#if NNINIT_AVX512
  PairOfBlocks(mean, std, words0, words1).Store(out0, out1);
#else
  HWY_ALIGN float values[kTorchBlock];
  NormalBlock(mean, std, words0, values);
  StoreBlock(values, out0);
  NormalBlock(mean, std, words1, values);
  StoreBlock(values, out1);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
