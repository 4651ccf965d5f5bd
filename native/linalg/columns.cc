#include "linalg/columns.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linalg/columns.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> LoadDoubles(D d, const double* HWY_RESTRICT from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadDoubles(D d, const float* HWY_RESTRICT from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), from));
}

template <class D>
HWY_INLINE void StoreDoubles(D d, hn::Vec<D> v, double* HWY_RESTRICT to) {
  hn::StoreU(v, d, to);
}

template <class D>
HWY_INLINE void StoreDoubles(D /*d*/, hn::Vec<D> v, float* HWY_RESTRICT to) {
  const hn::Rebind<float, D> df;
  hn::StoreU(hn::DemoteTo(df, v), df, to);
}

using Doubles = hn::CappedTag<double, 8>;
constexpr size_t kLanes = hn::MaxLanes(Doubles());

// sums[j] += Σ x[16·i + j]·y[16·i + j].
template <class T>
HWY_INLINE void AddProducts(const T* x, const T* y, size_t count, double* HWY_RESTRICT sums) {
  const Doubles d;
  constexpr size_t kVectors = 16 / kLanes;
  hn::Vec<Doubles> sum[kVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kVectors; ++v) sum[v] = hn::Load(d, sums + v * kLanes);
  for (size_t i = 0; i < count; i += 16) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) {
      const size_t at = i + v * kLanes;
      sum[v] = hn::Add(sum[v], hn::Mul(LoadDoubles(d, x + at), LoadDoubles(d, y + at)));
    }
  }
  HWY_UNROLL(16)
  for (size_t v = 0; v < kVectors; ++v) hn::Store(sum[v], d, sums + v * kLanes);
}

template <class T>
HWY_INLINE void Scale(const T* x, size_t count, double scale, T* to, size_t stride) {
  const Doubles d;
  HWY_ALIGN T scaled[kLanes];
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto v = hn::Mul(LoadDoubles(d, x + i), hn::Set(d, scale));
    if (stride == 1) {
      StoreDoubles(d, v, to + i);
    } else {
      StoreDoubles(d, v, scaled);
      HWY_UNROLL(8)
      for (size_t j = 0; j < kLanes; ++j) to[(i + j) * stride] = scaled[j];
    }
  }
  for (; i < count; ++i) to[i * stride] = static_cast<T>(static_cast<double>(x[i]) * scale);
}

template <class T>
HWY_INLINE void Subtract(double factor, const T* HWY_RESTRICT v, size_t count, T* HWY_RESTRICT x) {
  const Doubles d;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto product = hn::Mul(hn::Set(d, factor), LoadDoubles(d, v + i));
    StoreDoubles(d, hn::Sub(LoadDoubles(d, x + i), product), x + i);
  }
  for (; i < count; ++i) x[i] = static_cast<T>(static_cast<double>(x[i]) - factor * static_cast<double>(v[i]));
}

// Rows of V in double, whose columns' products are being summed: they fit into the first-level cache.
constexpr size_t kRows = 64;
// Columns whose products with kLanes·2 others are in registers.
constexpr size_t kTile = 6;

// Adds the products of `rows` rows: of columns [c, c + kTile) with [j, j + 2·kLanes).
HWY_INLINE void AddTile(const double* HWY_RESTRICT v, size_t rows, size_t c, size_t j, double* HWY_RESTRICT products) {
  const Doubles d;
  hn::Vec<Doubles> sum[kTile][2];
  HWY_UNROLL(8)
  for (size_t r = 0; r < kTile; ++r) {
    sum[r][0] = hn::LoadU(d, products + (c + r) * kBlock + j);
    sum[r][1] = hn::LoadU(d, products + (c + r) * kBlock + j + kLanes);
  }
  for (size_t i = 0; i < rows; ++i, v += kBlock) {
    const auto v0 = hn::Load(d, v + j);
    const auto v1 = hn::Load(d, v + j + kLanes);
    HWY_UNROLL(8)
    for (size_t r = 0; r < kTile; ++r) {
      const auto factor = hn::Set(d, v[c + r]);
      sum[r][0] = hn::Add(sum[r][0], hn::Mul(v0, factor));
      sum[r][1] = hn::Add(sum[r][1], hn::Mul(v1, factor));
    }
  }
  HWY_UNROLL(8)
  for (size_t r = 0; r < kTile; ++r) {
    hn::StoreU(sum[r][0], d, products + (c + r) * kBlock + j);
    hn::StoreU(sum[r][1], d, products + (c + r) * kBlock + j + kLanes);
  }
}

// A column begins a row below the one before. What is above is zero and adds nothing, so all sums begin at row 0.
template <class T>
HWY_INLINE void Products(const ReflectorBlock<T>& block, size_t part, size_t parts, double* HWY_RESTRICT products,
                         const CancelFlag& cancel) {
  if (block.count == 1) return;  // a column alone has none
  static_assert(kBlock % kTile == 0 && kBlock % (2 * kLanes) == 0, "whole tiles");
  const Doubles d;
  HWY_ALIGN double v[kRows * kBlock];
  std::fill_n(v, kRows * kBlock, 0.0);
  // A column has as many products as columns before it: parts take columns from both ends.
  const auto is_mine = [&](size_t c) {
    const size_t at = c / kTile % (2 * parts);
    return at == part || at == 2 * parts - 1 - part;
  };
  for (size_t c = 0; c < kBlock; c += kTile) {
    if (is_mine(c)) std::fill_n(products + c * kBlock, kTile * kBlock, 0.0);
  }
  for (size_t begin = 0; begin < block.length; begin += kRows) {
    if (begin % kChunkRows == 0 && cancel.Requested()) return;
    const size_t rows = std::min(kRows, block.length - begin);
    for (size_t i = 0; i < rows; ++i) {
      const T* HWY_RESTRICT row = block.v + (begin + i) * block.count;
      size_t j = 0;
      for (; j + kLanes <= block.count; j += kLanes) hn::Store(LoadDoubles(d, row + j), d, v + i * kBlock + j);
      for (; j < block.count; ++j) v[i * kBlock + j] = static_cast<double>(row[j]);
    }
    for (size_t c = 0; c < block.count; c += kTile) {
      if (!is_mine(c)) continue;
      for (size_t j = 0; j < c + kTile - 1; j += 2 * kLanes) AddTile(v, rows, c, j, products);
    }
  }
}

void AddProductsFloat(const float* x, const float* y, size_t count, double* sums) { AddProducts(x, y, count, sums); }
void AddProductsDouble(const double* x, const double* y, size_t count, double* sums) { AddProducts(x, y, count, sums); }
void ScaleFloat(const float* x, size_t count, double scale, float* to, size_t stride) {
  Scale(x, count, scale, to, stride);
}
void ScaleDouble(const double* x, size_t count, double scale, double* to, size_t stride) {
  Scale(x, count, scale, to, stride);
}
void SubtractFloat(double factor, const float* v, size_t count, float* x) { Subtract(factor, v, count, x); }
void SubtractDouble(double factor, const double* v, size_t count, double* x) { Subtract(factor, v, count, x); }
void ProductsFloat(const ReflectorBlock<float>& block, size_t part, size_t parts, double* products,
                   const CancelFlag& cancel) {
  Products(block, part, parts, products, cancel);
}
void ProductsDouble(const ReflectorBlock<double>& block, size_t part, size_t parts, double* products,
                    const CancelFlag& cancel) {
  Products(block, part, parts, products, cancel);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(AddProductsFloat);
HWY_EXPORT(AddProductsDouble);
HWY_EXPORT(ScaleFloat);
HWY_EXPORT(ScaleDouble);
HWY_EXPORT(SubtractFloat);
HWY_EXPORT(SubtractDouble);
HWY_EXPORT(ProductsFloat);
HWY_EXPORT(ProductsDouble);

namespace {

// What goes into the interleaved sums.
constexpr size_t Whole(size_t count) { return count / 16 * 16; }

template <class T>
double Rest(const T* x, const T* y, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

}  // namespace

void DotProduct::Add(const float* x, const float* y, size_t count) {
  const size_t whole = Whole(count);
  HWY_DYNAMIC_DISPATCH(AddProductsFloat)(x, y, whole, sums_);
  rest_ = Rest(x, y, whole, count);
}

void DotProduct::Add(const double* x, const double* y, size_t count) {
  const size_t whole = Whole(count);
  HWY_DYNAMIC_DISPATCH(AddProductsDouble)(x, y, whole, sums_);
  rest_ = Rest(x, y, whole, count);
}

double DotProduct::Total() const {
  double total = rest_;
  for (double sum : sums_) total += sum;
  return total;
}

Reflection ReflectionOf(double alpha, double rest) {
  if (!(rest > 0)) return {0, 0, alpha < 0 ? -1.0 : 1.0};
  const double beta = alpha >= 0 ? -std::sqrt(alpha * alpha + rest) : std::sqrt(alpha * alpha + rest);
  return {(beta - alpha) / beta, 1 / (alpha - beta), beta < 0 ? -1.0 : 1.0};
}

void ScaleColumn(const float* x, size_t count, double scale, float* to, size_t stride) {
  HWY_DYNAMIC_DISPATCH(ScaleFloat)(x, count, scale, to, stride);
}

void ScaleColumn(const double* x, size_t count, double scale, double* to, size_t stride) {
  HWY_DYNAMIC_DISPATCH(ScaleDouble)(x, count, scale, to, stride);
}

void SubtractColumn(double factor, const float* v, size_t count, float* x) {
  HWY_DYNAMIC_DISPATCH(SubtractFloat)(factor, v, count, x);
}

void SubtractColumn(double factor, const double* v, size_t count, double* x) {
  HWY_DYNAMIC_DISPATCH(SubtractDouble)(factor, v, count, x);
}

void ColumnProducts(const ReflectorBlock<float>& block, size_t part, size_t parts, double* products,
                    const CancelFlag& cancel) {
  HWY_DYNAMIC_DISPATCH(ProductsFloat)(block, part, parts, products, cancel);
}

void ColumnProducts(const ReflectorBlock<double>& block, size_t part, size_t parts, double* products,
                    const CancelFlag& cancel) {
  HWY_DYNAMIC_DISPATCH(ProductsDouble)(block, part, parts, products, cancel);
}

}  // namespace nninit
#endif
