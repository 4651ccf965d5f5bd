#include "linalg/panel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linalg/panel.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

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

// c[r][j] (=, +=, −=) Σ_k a[r·row_a + k·step_a]·b[k][j] for kRows rows and kVectors vectors of a panel kWidth wide.
// Each sum runs over k in order, in one lane: the same bits whatever the shape of the tile and the width of the panel.
template <size_t kRows, size_t kVectors, size_t kWidth, Into kInto, class D, class T = hn::TFromD<D>>
HWY_INLINE void MultiplyTile(D d, const T* HWY_RESTRICT a, size_t row_a, size_t step_a, const T* HWY_RESTRICT b,
                             size_t depth, T* HWY_RESTRICT c) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  V sum[kRows][kVectors];
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (size_t k = 0; k < depth; ++k, b += kWidth) {
    V row[kVectors];
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) row[v] = hn::Load(d, b + v * lanes);
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, a[r * row_a + k * step_a]);
      HWY_UNROLL(4)
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Add(sum[r][v], hn::Mul(factor, row[v]));
    }
  }
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      T* HWY_RESTRICT to = c + r * kWidth + v * lanes;
      const V old = hn::Load(d, to);
      const V value = kInto == Into::kSet   ? sum[r][v]
                      : kInto == Into::kAdd ? hn::Add(old, sum[r][v])
                                            : hn::Sub(old, sum[r][v]);
      hn::Store(value, d, to);
    }
  }
}

// The largest divisor of n that is not more than `most`.
constexpr size_t DivisorUpTo(size_t most, size_t n) {
  size_t divisor = most;
  while (n % divisor != 0) --divisor;
  return divisor;
}

// The same for any number of rows and a whole panel's width.
template <size_t kWidth, Into kInto, class T>
HWY_INLINE void Multiply(size_t rows, const T* HWY_RESTRICT a, size_t row_a, size_t step_a, const T* HWY_RESTRICT b,
                         size_t depth, T* HWY_RESTRICT c) {
  constexpr size_t kVectors = DivisorUpTo(kTileVectors, kWidth / hn::MaxLanes(hn::CappedTag<T, kWidth>()));
  const hn::CappedTag<T, kWidth / kVectors> d;
  const size_t width = kVectors * hn::Lanes(d);
  size_t r = 0;
  for (; r + kTileRows <= rows; r += kTileRows) {
    for (size_t j = 0; j < kWidth; j += width) {
      MultiplyTile<kTileRows, kVectors, kWidth, kInto>(d, a + r * row_a, row_a, step_a, b + j, depth,
                                                       c + r * kWidth + j);
    }
  }
  for (; r < rows; ++r) {
    for (size_t j = 0; j < kWidth; j += width) {
      MultiplyTile<1, kVectors, kWidth, kInto>(d, a + r * row_a, row_a, step_a, b + j, depth, c + r * kWidth + j);
    }
  }
}

// A stretch of V and of the panel that stays in the second-level cache while all reflectors pass over it. What V·T·Vᵀ
// subtracts is summed up stretch by stretch, so this shapes the bytes.
constexpr size_t kStretch = 256;

// w (+)= Vᵀ·panel for the stretch of rows from the block's row `i` on; `panel` begins there.
template <size_t kWidth, class T>
HWY_INLINE void Project(const ReflectorBlock<T>& block, size_t i, size_t rows, const T* HWY_RESTRICT panel,
                        T* HWY_RESTRICT w) {
  const T* HWY_RESTRICT v = block.v + i * block.count;
  if (i == 0) {
    Multiply<kWidth, Into::kSet>(block.count, v, 1, block.count, panel, rows, w);
  } else {
    Multiply<kWidth, Into::kAdd>(block.count, v, 1, block.count, panel, rows, w);
  }
}

// panel −= V·tw for rows from the block's row `i` on; `panel` begins there.
template <size_t kWidth, class T>
HWY_INLINE void Subtract(const ReflectorBlock<T>& block, size_t i, size_t rows, const T* HWY_RESTRICT tw,
                         T* HWY_RESTRICT panel) {
  Multiply<kWidth, Into::kSubtract>(rows, block.v + i * block.count, block.count, 1, tw, block.count, panel);
}

// tw = T·w
template <size_t kWidth, class T>
HWY_INLINE void MultiplyTriangle(const ReflectorBlock<T>& block, const T* HWY_RESTRICT w, T* HWY_RESTRICT tw) {
  Multiply<kWidth, Into::kSet>(block.count, block.t, kBlock, 1, w, block.count, tw);
}

// panel ← (I − V·T·Vᵀ)·panel for a block of reflectors; `panel` begins at the block's first row.
template <class T>
HWY_INLINE void ApplyBlock(const ReflectorBlock<T>& block, T* HWY_RESTRICT panel, T* HWY_RESTRICT w,
                           const CancelFlag& cancel) {
  T* HWY_RESTRICT tw = w + kBlock * kPanel;
  InStretches(block.length, kStretch, cancel, [&](size_t begin, size_t end) HWY_ATTR {
    Project<kPanel>(block, begin, end - begin, panel + begin * kPanel, w);
  });
  MultiplyTriangle<kPanel>(block, w, tw);
  InStretches(block.length, kStretch, cancel, [&](size_t begin, size_t end) HWY_ATTR {
    Subtract<kPanel>(block, begin, end - begin, tw, panel + begin * kPanel);
  });
}

// A copy of few elements by moves of 8, 4, 2 and 1: calling memcpy takes longer.
template <size_t kWidth, class S>
HWY_INLINE void CopyRow(const S* HWY_RESTRICT from, size_t width, S* HWY_RESTRICT to) {
  if (kWidth > 16 || width == 16) {
    std::memcpy(to, from, width * sizeof(S));
    return;
  }
  const auto move = [&](auto count) HWY_ATTR {
    if ((width & count()) == 0) return;
    std::memcpy(to, from, count() * sizeof(S));
    from += count();
    to += count();
  };
  move(std::integral_constant<size_t, 8>());
  move(std::integral_constant<size_t, 4>());
  move(std::integral_constant<size_t, 2>());
  move(std::integral_constant<size_t, 1>());
}

// Stores `rows` rows of a panel of columns [first, first + width), from row `begin` of Q on.
template <size_t kWidth, class S, class T>
HWY_INLINE void StoreRows(const PanelOutput<T>& out, const T* HWY_RESTRICT panel, size_t first, size_t width,
                          size_t begin, size_t rows, S* HWY_RESTRICT data) {
  const OrthogonalFill& p = *out.fill;
  data += p.offset;
  const hn::CappedTag<T, kWidth> d;
  const size_t lanes = hn::Lanes(d);
  // Rows that are transposed together: a line of memory holds sixteen float32.
  constexpr size_t kTogether = 32;
  HWY_ALIGN S row[kTogether][kWidth];
  for (size_t i = 0; i < rows; i += kTogether) {
    const size_t together = std::min(kTogether, rows - i);
    for (size_t r = 0; r < together; ++r) {
      for (size_t j = 0; j < kWidth; j += lanes) {
        const auto value = hn::Load(d, panel + (i + r) * kWidth + j);
        StoreAs(d, hn::Mul(value, hn::Load(d, out.scale + first + j)), row[r] + j);
      }
    }
    if (out.transposed) {
      for (size_t j = 0; j < width; ++j) {
        S* HWY_RESTRICT to = data + ((first + j) * p.cols + begin + i) * p.stride;
        for (size_t r = 0; r < together; ++r) to[r * p.stride] = row[r][j];
      }
    } else {
      for (size_t r = 0; r < together; ++r) {
        S* HWY_RESTRICT to = data + ((begin + i + r) * p.cols + first) * p.stride;
        if (p.stride == 1) {
          CopyRow<kWidth>(row[r], width, to);
        } else {
          for (size_t j = 0; j < width; ++j) to[j * p.stride] = row[r][j];
        }
      }
    }
  }
}

template <size_t kWidth, class T>
HWY_INLINE void Store(const PanelOutput<T>& out, const T* HWY_RESTRICT panel, size_t first, size_t width, size_t begin,
                      size_t rows) {
  WithElements(out.range->dtype, out.range->data, [&](auto* data) HWY_ATTR {
    // float64 alone computes in double.
    if constexpr ((sizeof(*data) == 8) == (sizeof(T) == 8)) {
      StoreRows<kWidth>(out, panel, first, width, begin, rows, data);
    }
  });
}

// Rows [begin, begin + rows) of columns [first, first + width) of the identity.
template <size_t kWidth, class T>
HWY_INLINE void SetIdentity(size_t first, size_t width, size_t begin, size_t rows, T* HWY_RESTRICT panel) {
  std::memset(panel, 0, rows * kWidth * sizeof(T));
  for (size_t j = 0; j < width; ++j) {
    if (first + j >= begin && first + j < begin + rows) panel[(first + j - begin) * kWidth + j] = T{1};
  }
}

// Reflects by the last block that sees more than zeros, then by those before it. While a stretch of the panel is in the
// cache, it gets what one block subtracts, and is projected onto the next; the last time it is stored.
template <class T>
HWY_INLINE void PanelOf(const std::vector<ReflectorBlock<T>>& blocks, const PanelOutput<T>& out, size_t first, T* panel,
                        T* w) {
  T* HWY_RESTRICT tw = w + kBlock * kPanel;
  const size_t width = std::min(kPanel, out.columns - first);
  size_t b = std::min(blocks.size(), (first + width + kBlock - 1) / kBlock) - 1;
  const auto at = [&](size_t row) { return panel + row * kPanel; };
  // Sums of the zeros below add nothing.
  SetIdentity<kPanel>(first, width, 0, out.long_side, panel);
  const size_t depth = std::min(first + width - blocks[b].first, blocks[b].length);
  for (size_t i = 0; i < depth; i += kStretch) {
    Project<kPanel>(blocks[b], i, std::min(kStretch, depth - i), at(blocks[b].first + i), w);
  }
  while (true) {
    const ReflectorBlock<T>& block = blocks[b];
    MultiplyTriangle<kPanel>(block, w, tw);
    // The first block begins at row 0.
    const size_t start = b == 0 ? 0 : blocks[b - 1].first;
    const bool all = InStretches(out.long_side - start, kStretch, *out.cancel, [&](size_t begin, size_t end) HWY_ATTR {
      const size_t from = std::max(start + begin, block.first);
      const size_t to = start + end;
      if (from < to) Subtract<kPanel>(block, from - block.first, to - from, tw, at(from));
      if (b == 0) {
        Store<kPanel>(out, at(begin), first, width, begin, end - begin);
      } else {
        Project<kPanel>(blocks[b - 1], begin, end - begin, at(start + begin), w);
      }
    });
    if (!all || b-- == 0) return;
  }
}

// Rows [begin, begin + rows) of all columns of Q, which is the product of one block.
template <size_t kWidth, class T>
HWY_INLINE void RowsOfWidth(const ReflectorBlock<T>& block, const PanelOutput<T>& out, size_t begin, size_t rows,
                            T* HWY_RESTRICT work) {
  T* HWY_RESTRICT tw = work + kBlock * kWidth;
  T* HWY_RESTRICT panel = work + 2 * kBlock * kWidth;
  SetIdentity<kWidth>(0, out.columns, 0, block.count, panel);
  const ReflectorBlock<T> top{0, block.count, block.count, const_cast<T*>(out.top), block.t};
  Project<kWidth>(top, 0, block.count, panel, work);
  MultiplyTriangle<kWidth>(block, work, tw);
  InStretches(rows, kStretch, *out.cancel, [&](size_t from, size_t to) HWY_ATTR {
    SetIdentity<kWidth>(0, out.columns, begin + from, to - from, panel);
    Subtract<kWidth>(block, begin + from, to - from, tw, panel);
    Store<kWidth>(out, panel, 0, out.columns, begin + from, to - from);
  });
}

template <class T>
HWY_INLINE void RowsOf(const ReflectorBlock<T>& block, const PanelOutput<T>& out, size_t begin, size_t rows, T* work) {
  if (out.columns <= 16) return RowsOfWidth<16>(block, out, begin, rows, work);
  RowsOfWidth<kBlock>(block, out, begin, rows, work);
}

void PanelFloat(const std::vector<ReflectorBlock<float>>& blocks, const PanelOutput<float>& out, size_t first,
                float* panel, float* work) {
  PanelOf(blocks, out, first, panel, work);
}

void PanelDouble(const std::vector<ReflectorBlock<double>>& blocks, const PanelOutput<double>& out, size_t first,
                 double* panel, double* work) {
  PanelOf(blocks, out, first, panel, work);
}

void RowsFloat(const ReflectorBlock<float>& block, const PanelOutput<float>& out, size_t begin, size_t rows,
               float* work) {
  RowsOf(block, out, begin, rows, work);
}

void RowsDouble(const ReflectorBlock<double>& block, const PanelOutput<double>& out, size_t begin, size_t rows,
                double* work) {
  RowsOf(block, out, begin, rows, work);
}

void ApplyFloat(const ReflectorBlock<float>& block, float* panel, float* work, const CancelFlag& cancel) {
  ApplyBlock(block, panel, work, cancel);
}

void ApplyDouble(const ReflectorBlock<double>& block, double* panel, double* work, const CancelFlag& cancel) {
  ApplyBlock(block, panel, work, cancel);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(PanelFloat);
HWY_EXPORT(PanelDouble);
HWY_EXPORT(RowsFloat);
HWY_EXPORT(RowsDouble);
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

void WriteRows(const ReflectorBlock<float>& block, const PanelOutput<float>& out, size_t begin, size_t rows,
               float* work) {
  HWY_DYNAMIC_DISPATCH(RowsFloat)(block, out, begin, rows, work);
}

void WriteRows(const ReflectorBlock<double>& block, const PanelOutput<double>& out, size_t begin, size_t rows,
               double* work) {
  HWY_DYNAMIC_DISPATCH(RowsDouble)(block, out, begin, rows, work);
}

void ApplyReflectors(const ReflectorBlock<float>& block, float* panel, float* work, const CancelFlag& cancel) {
  HWY_DYNAMIC_DISPATCH(ApplyFloat)(block, panel, work, cancel);
}

void ApplyReflectors(const ReflectorBlock<double>& block, double* panel, double* work, const CancelFlag& cancel) {
  HWY_DYNAMIC_DISPATCH(ApplyDouble)(block, panel, work, cancel);
}

}  // namespace nninit
#endif
