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
void MakeBlock(const ReflectorBlock<T>& block, size_t count, size_t long_side, const Key& key, T* signs, T* x) {
  const Dtype dtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  Clear(block);
  for (size_t c = 0; c < count; ++c) {
    const size_t k = block.first + c;
    const size_t length = block.length - c;
    NormalRange(0, 1, key, {x, dtype, uint64_t{k} * long_side + k, length});
    signs[c] = AddReflector(block, c, x).sign;
  }
}

template <class T>
void Fill(const OrthogonalParams& params, const Key& key, void* data, size_t count, Dtype dtype, int threads,
          const CancelFlag& cancel) {
  ReflectorProduct<T> product(params, threads);
  std::atomic<size_t> next_block{0};
  ParallelFor(product.workers(), threads, [&](size_t worker) {
    for (size_t b; (b = next_block.fetch_add(1)) < product.blocks.size() && !cancel.Requested();) {
      MakeBlock(product.blocks[b], product.Reflectors(b), product.long_side, key, product.signs() + b * kBlock,
                product.scratch(worker));
    }
  });
  product.Write(data, count, dtype, threads, cancel);
}

}  // namespace

void OrthogonalFill(const OrthogonalParams& params, const Key& key, void* data, size_t count, Dtype dtype, int threads,
                    const CancelFlag& cancel) {
  if (params.rows == 0 || params.cols == 0) return;
  if (dtype == Dtype::kFloat64) {
    Fill<double>(params, key, data, count, dtype, threads, cancel);
  } else {
    Fill<float>(params, key, data, count, dtype, threads, cancel);
  }
}

}  // namespace nninit
