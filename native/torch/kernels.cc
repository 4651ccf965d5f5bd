#include "torch/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "torch/kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/store-inl.h"
#include "random/mt19937.h"
#include "torch/blocks-inl.h"
#include "torch/words-inl.h"
#include "types/rounding.h"
#include "types/widen.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> Scaled(D d, const TorchUniform& p, hn::Vec<D> u) {
  using T = hn::TFromD<D>;
  const auto a = hn::Set(d, static_cast<T>(p.a));
  const auto x = FusedMulAdd(d, u, hn::Set(d, static_cast<T>(p.scale)), a);
  const auto is_b =
      hn::And(hn::Ge(x, hn::Set(d, static_cast<T>(p.wrap_low))), hn::Le(x, hn::Set(d, static_cast<T>(p.wrap_high))));
  return hn::IfThenElse(is_b, a, x);
}

template <class D>
HWY_INLINE hn::Vec<D> UniformVector(D d, const TorchUniform& p, const uint32_t* HWY_RESTRICT words) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return Scaled(d, p, Uniform53(d, words));
  } else {
    return Scaled(d, p, Uniform24(d, words));
  }
}

template <class T>
HWY_INLINE void Uniforms(const TorchUniform& p, const uint32_t* HWY_RESTRICT words, const Range& range,
                         T* HWY_RESTRICT out) {
  constexpr bool kWide = sizeof(T) == 8;
  constexpr size_t kPer = kWide ? 2 : 1;
  constexpr size_t kAhead = 2048 / sizeof(T);
  const hn::CappedTag<std::conditional_t<kWide, double, float>, 16 / kPer> d;
  const size_t lanes = hn::Lanes(d);
  const size_t count = range.count;
  // Less than a vector.
  const auto few = [&](size_t begin, size_t end) HWY_ATTR {
    uint32_t some_words[16] = {};
    T some[16 / kPer];
    std::memcpy(some_words, words + begin * kPer, (end - begin) * kPer * sizeof(uint32_t));
    StoreAs(d, UniformVector(d, p, some_words), some);
    std::memcpy(out + begin, some, (end - begin) * sizeof(T));
  };
  size_t i = 0;
  if constexpr (sizeof(T) > 2) {
    if (range.writers > 0) {
      const size_t vector = lanes * sizeof(T);
      i = std::min(count, (vector - reinterpret_cast<uintptr_t>(out) % vector) % vector / sizeof(T));
      few(0, i);
      for (; i + lanes <= count; i += lanes) hn::Stream(UniformVector(d, p, words + i * kPer), d, out + i);
    }
  }
  for (; i + lanes <= count; i += lanes) {
    StoreAs(d, UniformVector(d, p, words + i * kPer), out + i);
    hwy::Prefetch(out + i + kAhead);
  }
  if (i < count) few(i, count);
}

void UniformWords(const TorchUniform& p, const uint32_t* words, const Range& range) {
  WithElements(range.dtype, range.data, [&](auto* to) HWY_ATTR { Uniforms(p, words, range, to); });
}

template <class T>
HWY_INLINE void Normals(const TorchNormal& p, const uint32_t* HWY_RESTRICT words, size_t blocks, T* HWY_RESTRICT out) {
  const auto mean = static_cast<float>(p.mean);
  const auto std = static_cast<float>(p.std);
  constexpr size_t kAhead = 2048 / sizeof(T);
  size_t block = 0;
#if NNINIT_AVX512
  // Two chains at once hide the latency of the polynomials.
  for (; block + 4 <= blocks; block += 4) {
    const uint32_t* HWY_RESTRICT w = words + block * kTorchBlock;
    T* HWY_RESTRICT to = out + block * kTorchBlock;
    const PairOfBlocks first(mean, std, w, w + 16);
    const PairOfBlocks second(mean, std, w + 32, w + 48);
    first.Store(to, to + 16);
    second.Store(to + 32, to + 48);
    for (size_t ahead = 0; ahead < 4 * kTorchBlock; ahead += 64 / sizeof(T)) hwy::Prefetch(to + kAhead + ahead);
  }
#endif
  for (; block + 2 <= blocks; block += 2) {
    const size_t i = block * kTorchBlock;
    BlockPair(mean, std, words + i, words + i + kTorchBlock, out + i, out + i + kTorchBlock);
    hwy::Prefetch(out + i + kAhead);
    hwy::Prefetch(out + i + kAhead + kTorchBlock);
  }
  if (block == blocks) return;
  HWY_ALIGN float values[kTorchBlock];
  NormalBlock(mean, std, words + block * kTorchBlock, values);
  StoreBlock(values, out + block * kTorchBlock);
}

void NormalWords(const TorchNormal& p, Dtype dtype, const uint32_t* words, size_t blocks, void* out) {
  WithElements(dtype, out, [&](auto* to) HWY_ATTR {
    if constexpr (sizeof(*to) == 8) {
      TorchNormalWords64(p, words, blocks, to);
    } else {
      Normals(p, words, blocks, to);
    }
  });
}

// Elements as the float32 they stand for.
template <class D>
HWY_INLINE hn::Vec<D> LoadFloat(D d, const float* HWY_RESTRICT from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadFloat(D d, const BFloat16* HWY_RESTRICT from) {
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<uint16_t, D> d16;
  const auto bits = hn::PromoteTo(du, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from)));
  return hn::BitCast(d, hn::ShiftLeft<16>(bits));
}

template <class D>
HWY_INLINE hn::Vec<D> LoadFloat(D d, const Float16* HWY_RESTRICT from) {
  HWY_ALIGN float values[16];
  for (size_t i = 0; i < hn::Lanes(d); ++i) {
    values[i] = WidenOne(reinterpret_cast<const uint16_t*>(from)[i], Dtype::kFloat16);
  }
  return hn::Load(d, values);
}

// What one pass of redraws needs to know of the bounds.
struct Bounds {
  template <class D>
  HWY_INLINE hn::Mask<D> Outside(D d, hn::Vec<D> x) const {
    return hn::Or(hn::Lt(x, hn::Set(d, low)), hn::Gt(x, hn::Set(d, high)));
  }

  template <class T>
  HWY_INLINE bool AnyOutside(const T* HWY_RESTRICT out) const {
    const hn::CappedTag<float, 16> d;
    auto any = Outside(d, LoadFloat(d, out));
    for (size_t i = hn::Lanes(d); i < kTorchBlock; i += hn::Lanes(d)) {
      any = hn::Or(any, Outside(d, LoadFloat(d, out + i)));
    }
    return !hn::AllFalse(d, any);
  }

  // Takes what is drawn where the old value is outside; returns whether such a value is outside again.
  template <class T>
  HWY_INLINE bool Replace(const T* HWY_RESTRICT drawn, T* HWY_RESTRICT out) const {
    const hn::CappedTag<float, 16> d;
    bool again = false;
    for (size_t i = 0; i < kTorchBlock; i += hn::Lanes(d)) {
      const auto old = LoadFloat(d, out + i);
      const auto fresh = LoadFloat(d, drawn + i);
      const auto outside = Outside(d, old);
      StoreAs(d, hn::IfThenElse(outside, fresh, old), out + i);
      again |= !hn::AllFalse(d, hn::And(outside, Outside(d, fresh)));
    }
    return again;
  }

  float low, high;
};

template <class T>
HWY_INLINE size_t Redraws(const TorchNormal& p, const uint32_t* HWY_RESTRICT words, size_t blocks, T* HWY_RESTRICT out,
                          uint32_t first, uint32_t* HWY_RESTRICT pending, bool* before) {
  const auto mean = static_cast<float>(p.mean);
  const auto std = static_cast<float>(p.std);
  const Bounds bounds{static_cast<float>(p.low), static_cast<float>(p.high)};
  size_t open = 0;
  for (size_t block = 0; block < blocks; ++block) {
    pending[open] = static_cast<uint32_t>(block);
    open += bounds.AnyOutside(out + block * kTorchBlock) ? 1 : 0;
  }
  if (open > 0) *before = true;
  size_t left = 0;
  // Two at a time fill the widest vectors.
  for (size_t i = 0; i < open; i += 2) {
    const size_t pair[2] = {pending[i], pending[i + 1 < open ? i + 1 : i]};
    T drawn[2 * kTorchBlock];
    BlockPair(mean, std, words + pair[0] * kTorchBlock, words + pair[1] * kTorchBlock, drawn, drawn + kTorchBlock);
    for (size_t k = 0; k < 2 && i + k < open; ++k) {
      const bool again = bounds.Replace(drawn + k * kTorchBlock, out + pair[k] * kTorchBlock);
      pending[left] = first + static_cast<uint32_t>(pair[k]);
      left += again ? 1 : 0;
    }
  }
  return left;
}

size_t RedrawWords(const TorchNormal& p, Dtype dtype, const uint32_t* words, size_t blocks, void* out, uint32_t first,
                   uint32_t* pending, bool* before) {
  return WithElements(dtype, out, [&](auto* to) HWY_ATTR {
    if constexpr (sizeof(*to) == 8) {
      return TorchRedrawWords64(p, words, blocks, to, first, pending, before);
    } else {
      return Redraws(p, words, blocks, to, first, pending, before);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(UniformWords);
HWY_EXPORT(NormalWords);
HWY_EXPORT(RedrawWords);

TorchUniform PrepareTorchUniform(const UniformFill& fill, Dtype dtype) {
  const auto [a, b] = fill;
  if (dtype == Dtype::kFloat64) return {a, b - a, b, b};
  // Bounds are float32 for 16-bit dtypes too.
  const float from = static_cast<float>(a);
  const float scale = static_cast<float>(b) - from;
  const double to = RoundNearest(static_cast<double>(static_cast<float>(b)), dtype);
  if (dtype == Dtype::kFloat32) return {from, scale, to, to};
  // The float32 values that are stored as b, from half way to either neighbour (nearer towards zero where b is a power
  // of two): halves go to the even one.
  const auto half_way = [&](double side) {
    const double half = std::copysign(Spacing(std::nextafter(to, side), dtype) / 2, side);
    const auto bound = static_cast<float>(to + half);
    return RoundNearest(bound, dtype) == to ? bound : std::nextafterf(bound, static_cast<float>(to));
  };
  const double infinity = std::numeric_limits<double>::infinity();
  return {from, scale, half_way(-infinity), half_way(infinity)};
}

void TorchUniformWords(const TorchUniform& params, const uint32_t* words, const Range& range) {
  HWY_DYNAMIC_DISPATCH(UniformWords)(params, words, range);
}

void TorchNormalWords(const TorchNormal& params, Dtype dtype, const uint32_t* words, size_t blocks, void* out) {
  HWY_DYNAMIC_DISPATCH(NormalWords)(params, dtype, words, blocks, out);
}

size_t TorchRedrawWords(const TorchNormal& params, Dtype dtype, const uint32_t* words, size_t blocks, void* out,
                        uint32_t first, uint32_t* pending, bool* before) {
  return HWY_DYNAMIC_DISPATCH(RedrawWords)(params, dtype, words, blocks, out, first, pending, before);
}

}  // namespace nninit
#endif
