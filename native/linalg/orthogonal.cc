#include "linalg/orthogonal.h"

#include <atomic>

#include "kernels/normal.h"
#include "linalg/product.h"
#include "system/threads.h"

namespace nninit {
namespace {

// Fills in V, T and the signs of R's diagonal for reflectors [block.first, block.first + count). Reflector k reflects a
// normal vector, elements k·long_side + k … of the stream, onto its first axis.
template <class T>
void MakeBlock(const ReflectorBlock<T>& block, size_t count, size_t long_side, const Key& key, T* signs, T* x,
               const CancelFlag& cancel) {
  const Dtype dtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  Clear(block, cancel);
  for (size_t c = 0; c < count && !cancel.Requested(); ++c) {
    const size_t k = block.first + c;
    const size_t length = block.length - c;
    const Range normals{x, dtype, uint64_t{k} * long_side + k, length};
    InStretches(length, kStretchNormals, cancel, [&](size_t begin, size_t end) {
      NormalRange({0, 1}, key, normals.Part(begin, end - begin));
    });
    signs[c] = AddReflector(block, c, x, cancel).sign;
  }
}

template <class T>
void RunAs(const OrthogonalFill& fill, const Key& key, const Range& range, int threads, const CancelFlag& cancel) {
  ReflectorProduct<T> product(fill, threads);
  std::atomic<size_t> next_block{0};
  ParallelFor(product.workers(), threads, [&](size_t worker) {
    for (size_t b; (b = next_block.fetch_add(1)) < product.blocks.size() && !cancel.Requested();) {
      MakeBlock(product.blocks[b], product.Reflectors(b), product.long_side, key, product.signs() + b * kBlock,
                product.scratch(worker), cancel);
    }
  });
  product.Write(range, threads, cancel);
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
