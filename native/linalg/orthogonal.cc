#include "linalg/orthogonal.h"

#include <algorithm>

#include "kernels/normal.h"
#include "linalg/product.h"
#include "system/threads.h"

namespace nninit {
namespace {

// Elements `begin` … of the vector that reflector k reflects: normals, elements k·long_side + k … of the stream.
template <class T>
void Normals(size_t long_side, size_t k, size_t begin, size_t count, const Key& key, T* x) {
  const Dtype dtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  NormalRange({0, 1}, key, {x, dtype, uint64_t{k} * long_side + k + begin, count});
}

template <class T>
Reflection MakeReflection(size_t long_side, size_t k, const Key& key, const CancelFlag& cancel) {
  alignas(64) T x[kStretchRows];
  Normals(long_side, k, 0, 1, key, x);
  const double alpha = static_cast<double>(x[0]);
  DotProduct squares;
  InStretches(long_side - k - 1, kStretchRows, cancel, [&](size_t begin, size_t end) {
    Normals(long_side, k, begin + 1, end - begin, key, x);
    squares.Add(x, x, end - begin);
  });
  return ReflectionOf(alpha, squares.Total());
}

// Rows [begin, end) of a block's V. The normals are made once more: that takes less time than keeping them.
template <class T>
void MakeRows(const ReflectorBlock<T>& block, const Reflection* reflections, size_t begin, size_t end, size_t long_side,
              const Key& key, T* x) {
  for (size_t c = 0; c < block.count; ++c) {
    // Column c begins in row c.
    const size_t from = std::min(std::max(begin, c), end);
    for (size_t i = begin; i < from; ++i) block.v[i * block.count + c] = 0;
    if (from == end) continue;
    Normals(long_side, block.first + c, from - c, end - from, key, x);
    ScaleColumn(x, end - from, reflections[c].scale, block.v + from * block.count + c, block.count);
    if (from == c) block.v[c * block.count + c] = T{1};
  }
}

// Reflector k, and its column of V, where the normals of a whole column are at hand.
template <class T>
Reflection MakeColumn(const ReflectorBlock<T>& block, size_t k, size_t long_side, const Key& key) {
  alignas(64) T x[kChunkRows];
  const size_t c = k - block.first;
  const size_t length = long_side - k;
  Normals(long_side, k, 0, length, key, x);
  DotProduct squares;
  squares.Add(x + 1, x + 1, length - 1);
  const Reflection reflection = ReflectionOf(static_cast<double>(x[0]), squares.Total());
  T* column = block.v + c;
  for (size_t i = 0; i < c; ++i) column[i * block.count] = 0;
  ScaleColumn(x, length, reflection.scale, column + c * block.count, block.count);
  column[c * block.count] = T{1};
  return reflection;
}

template <class T>
void RunAs(const OrthogonalFill& fill, const Key& key, const Range& range, int threads, const CancelFlag& cancel) {
  ReflectorProduct<T> product(fill, threads);
  const bool is_short = product.long_side <= kChunkRows;
  ParallelFor(product.columns, threads, [&](size_t k) {
    if (cancel.Requested()) return;
    product.reflections[k] = is_short ? MakeColumn(product.blocks[k / kBlock], k, product.long_side, key)
                                      : MakeReflection<T>(product.long_side, k, key, cancel);
  });
  const size_t chunks = is_short ? 0 : (product.long_side + kChunkRows - 1) / kChunkRows;
  ParallelFor(product.blocks.size() * chunks, threads, [&](size_t task) {
    alignas(64) T x[kChunkRows];
    const size_t b = task / chunks;
    const ReflectorBlock<T>& block = product.blocks[b];
    const size_t begin = task % chunks * kChunkRows;
    if (begin >= block.length || cancel.Requested()) return;
    MakeRows(block, product.reflections.data() + b * kBlock, begin, std::min(block.length, begin + kChunkRows),
             product.long_side, key, x);
  });
  product.MakeTriangles(0, product.blocks.size(), threads, cancel);
  if (!cancel.Requested()) product.Write(range, threads, cancel);
}

}  // namespace

void RunOrthogonal(const OrthogonalFill& fill, const Key& key, const Range& range, int threads,
                   const CancelFlag& cancel) {
  if (fill.rows == 0 || fill.cols == 0) return;
  if (range.dtype == Dtype::kFloat64) {
    RunAs<double>(fill, key, range, threads, cancel);
  } else {
    RunAs<float>(fill, key, range, threads, cancel);
  }
}

}  // namespace nninit
