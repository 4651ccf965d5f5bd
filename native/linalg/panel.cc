#include "linalg/panel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linalg/panel.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/store-inl.h"
#include "system/simd.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

enum class Into { kSet, kAdd, kSubtract };

// Registers for a tile of kTileRows × kTileVectors sums.
#if HWY_ARCH_X86 && !NNINIT_AVX512
constexpr size_t kTileRows = 6;
constexpr size_t kTileVectors = 2;
#else
constexpr size_t kTileRows = 6;
constexpr size_t kTileVectors = 4;
#endif

// c[r][j] (=, +=, −=) Σ_k a[r·row_a + k·step_a]·b[k][j] for kRows rows and kTileVectors vectors of columns. Each sum
// runs over k in order, in one lane: the same bits whatever the shape of the tile.
template <size_t kRows, Into kInto, class D, class T = hn::TFromD<D>>
HWY_INLINE void MultiplyTile(D d, const T* HWY_RESTRICT a, size_t row_a, size_t step_a, const T* HWY_RESTRICT b,
                             size_t depth, T* HWY_RESTRICT c) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  V sum[kRows][kTileVectors];
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kTileVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (size_t k = 0; k < depth; ++k, b += kPanel) {
    V row[kTileVectors];
    HWY_UNROLL(4)
    for (size_t v = 0; v < kTileVectors; ++v) row[v] = hn::Load(d, b + v * lanes);
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, a[r * row_a + k * step_a]);
      HWY_UNROLL(4)
      for (size_t v = 0; v < kTileVectors; ++v) sum[r][v] = hn::Add(sum[r][v], hn::Mul(factor, row[v]));
    }
  }
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kTileVectors; ++v) {
      T* HWY_RESTRICT to = c + r * kPanel + v * lanes;
      const V old = hn::Load(d, to);
      const V value = kInto == Into::kSet   ? sum[r][v]
                      : kInto == Into::kAdd ? hn::Add(old, sum[r][v])
                                            : hn::Sub(old, sum[r][v]);
      hn::Store(value, d, to);
    }
  }
}

// The same for any number of rows and a whole panel's width.
template <Into kInto, class T>
HWY_INLINE void Multiply(size_t rows, const T* HWY_RESTRICT a, size_t row_a, size_t step_a, const T* HWY_RESTRICT b,
                         size_t depth, T* HWY_RESTRICT c) {
  const hn::CappedTag<T, kPanel / kTileVectors> d;
  const size_t width = kTileVectors * hn::Lanes(d);
  size_t r = 0;
  for (; r + kTileRows <= rows; r += kTileRows) {
    for (size_t j = 0; j < kPanel; j += width) {
      MultiplyTile<kTileRows, kInto>(d, a + r * row_a, row_a, step_a, b + j, depth, c + r * kPanel + j);
    }
  }
  for (; r < rows; ++r) {
    for (size_t j = 0; j < kPanel; j += width) {
      MultiplyTile<1, kInto>(d, a + r * row_a, row_a, step_a, b + j, depth, c + r * kPanel + j);
    }
  }
}

// panel ← (I − V·T·Vᵀ)·panel for a block of reflectors; `panel` begins at the block's first row.
template <class T>
HWY_INLINE void ApplyBlock(const ReflectorBlock<T>& block, T* HWY_RESTRICT panel, T* HWY_RESTRICT w, T* HWY_RESTRICT tw,
                           const CancelFlag& cancel) {
  // A stretch of V and of the panel that stays in the second-level cache while all reflectors pass over it.
  constexpr size_t kStretch = 256;
  constexpr size_t kWholeTiles = 64 * kTileRows;
  for (size_t i = 0; i < block.length; i += kStretch) {
    if (cancel.Requested()) return;
    const size_t depth = std::min(kStretch, block.length - i);
    const T* HWY_RESTRICT v = block.v + i * kBlock;
    if (i == 0) {
      Multiply<Into::kSet>(kBlock, v, 1, kBlock, panel, depth, w);
    } else {
      Multiply<Into::kAdd>(kBlock, v, 1, kBlock, panel + i * kPanel, depth, w);
    }
  }
  Multiply<Into::kSet>(kBlock, block.t, kBlock, 1, w, kBlock, tw);
  for (size_t i = 0; i < block.length; i += kWholeTiles) {
    if (cancel.Requested()) return;
    const size_t rows = std::min(kWholeTiles, block.length - i);
    Multiply<Into::kSubtract>(rows, block.v + i * kBlock, kBlock, 1, tw, kBlock, panel + i * kPanel);
  }
}

template <class S, class T>
HWY_INLINE void StorePanel(const PanelOutput<T>& out, const T* HWY_RESTRICT panel, size_t first, size_t width,
                           S* HWY_RESTRICT data) {
  const OrthogonalFill& p = *out.fill;
  data += p.offset;
  const hn::CappedTag<T, kPanel> d;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN S row[kPanel];
  for (size_t i = 0; i < out.long_side; ++i) {
    if (i % 256 == 0 && out.cancel->Requested()) return;
    for (size_t j = 0; j < kPanel; j += lanes) {
      StoreAs(d, hn::Mul(hn::Load(d, panel + i * kPanel + j), hn::Load(d, out.scale + first + j)), row + j);
    }
    if (out.transposed) {
      for (size_t j = 0; j < width; ++j) data[((first + j) * p.cols + i) * p.stride] = row[j];
    } else if (p.stride == 1) {
      std::memcpy(data + i * p.cols + first, row, width * sizeof(S));
    } else {
      for (size_t j = 0; j < width; ++j) data[(i * p.cols + first + j) * p.stride] = row[j];
    }
  }
}

template <class T>
void PanelOf(const std::vector<ReflectorBlock<T>>& blocks, const PanelOutput<T>& out, size_t first, T* panel, T* work) {
  const size_t width = std::min(kPanel, out.columns - first);
  if (!ClearMemory(panel, out.long_side * kPanel * sizeof(T), *out.cancel)) return;
  for (size_t j = 0; j < width; ++j) panel[(first + j) * kPanel + j] = T{1};
  // A block that begins below the panel's ones sees zeros only.
  for (size_t b = blocks.size(); b-- > 0;) {
    if (out.cancel->Requested()) return;
    if (blocks[b].first < first + width) {
      ApplyBlock(blocks[b], panel + blocks[b].first * kPanel, work, work + kBlock * kPanel, *out.cancel);
    }
  }
  WithElements(out.range->dtype, out.range->data, [&](auto* data) HWY_ATTR {
    // float64 alone computes in double.
    if constexpr ((sizeof(*data) == 8) == (sizeof(T) == 8)) StorePanel(out, panel, first, width, data);
  });
}

void PanelFloat(const std::vector<ReflectorBlock<float>>& blocks, const PanelOutput<float>& out, size_t first,
                float* panel, float* work) {
  PanelOf(blocks, out, first, panel, work);
}

void PanelDouble(const std::vector<ReflectorBlock<double>>& blocks, const PanelOutput<double>& out, size_t first,
                 double* panel, double* work) {
  PanelOf(blocks, out, first, panel, work);
}

void ApplyFloat(const ReflectorBlock<float>& block, float* panel, float* work, const CancelFlag& cancel) {
  ApplyBlock(block, panel, work, work + kBlock * kPanel, cancel);
}

void ApplyDouble(const ReflectorBlock<double>& block, double* panel, double* work, const CancelFlag& cancel) {
  ApplyBlock(block, panel, work, work + kBlock * kPanel, cancel);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(PanelFloat);
HWY_EXPORT(PanelDouble);
HWY_EXPORT(ApplyFloat);
HWY_EXPORT(ApplyDouble);

void WritePanel(const std::vector<ReflectorBlock<float>>& blocks, const PanelOutput<float>& out, size_t first,
                float* panel, float* work) {
  HWY_DYNAMIC_DISPATCH(PanelFloat)(blocks, out, first, panel, work);
}

void WritePanel(const std::vector<ReflectorBlock<double>>& blocks, const PanelOutput<double>& out, size_t first,
                double* panel, double* work) {
  HWY_DYNAMIC_DISPATCH(PanelDouble)(blocks, out, first, panel, work);
}

void ApplyReflectors(const ReflectorBlock<float>& block, float* panel, float* work, const CancelFlag& cancel) {
  HWY_DYNAMIC_DISPATCH(ApplyFloat)(block, panel, work, cancel);
}

void ApplyReflectors(const ReflectorBlock<double>& block, double* panel, double* work, const CancelFlag& cancel) {
  HWY_DYNAMIC_DISPATCH(ApplyDouble)(block, panel, work, cancel);
}

}  // namespace nninit
#endif
