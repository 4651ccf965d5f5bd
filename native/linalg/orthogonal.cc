#include "linalg/orthogonal.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "kernels/normal.h"
#include "linalg/panel.h"
#include "threads.h"

namespace nninit {
namespace {

template <class T>
hwy::AlignedFreeUniquePtr<T[]> Allocate(size_t count) {
  auto memory = hwy::AllocateAligned<T>(count);
  if (!memory) throw std::bad_alloc();
  return memory;
}

// Σ x², in sixteen interleaved sums that the compiler can keep in vectors without changing their order.
template <class T>
double SquaredNorm(const T* x, size_t count) {
  double sums[16] = {};
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (size_t j = 0; j < 16; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  double total = 0;
  for (; i < count; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (double sum : sums) total += sum;
  return total;
}

// Fills in V, T and the signs of R's diagonal for reflectors [block.first, block.first + count). Reflector k reflects a
// normal vector, elements k·long_side + k … of the stream, onto its first axis.
template <class T>
void MakeBlock(const ReflectorBlock<T>& block, size_t count, size_t long_side, const Key& key, T* signs, T* x) {
  const Dtype dtype = sizeof(T) == 8 ? Dtype::kFloat64 : Dtype::kFloat32;
  std::memset(block.v, 0, block.length * kBlock * sizeof(T));
  std::memset(block.t, 0, kBlock * kBlock * sizeof(T));
  for (size_t c = 0; c < count; ++c) {
    const size_t k = block.first + c;
    const size_t length = block.length - c;
    NormalRange(0, 1, key, {x, dtype, uint64_t{k} * long_side + k, length});
    const double alpha = static_cast<double>(x[0]);
    const double rest = SquaredNorm(x + 1, length - 1);
    double beta = alpha;
    double tau = 0;
    double scale = 0;
    if (rest > 0) {
      beta = alpha >= 0 ? -std::sqrt(alpha * alpha + rest) : std::sqrt(alpha * alpha + rest);
      tau = (beta - alpha) / beta;
      scale = 1 / (alpha - beta);
    }
    signs[c] = static_cast<T>(beta < 0 ? -1 : 1);
    T* column = block.v + c * kBlock + c;
    column[0] = T{1};
    for (size_t i = 1; i < length; ++i) column[i * kBlock] = static_cast<T>(static_cast<double>(x[i]) * scale);
    // T's new column is −tau·T·(Vᵀ·v), with tau on the diagonal.
    double dots[kBlock] = {};
    for (size_t i = 0; i < length; ++i) {
      const double vi = static_cast<double>(column[i * kBlock]);
      const T* row = block.v + (c + i) * kBlock;
      for (size_t j = 0; j < c; ++j) dots[j] += static_cast<double>(row[j]) * vi;
    }
    for (size_t r = 0; r < c; ++r) {
      double sum = 0;
      for (size_t j = r; j < c; ++j) sum += static_cast<double>(block.t[r * kBlock + j]) * dots[j];
      block.t[r * kBlock + c] = static_cast<T>(-tau * sum);
    }
    block.t[c * kBlock + c] = static_cast<T>(tau);
  }
}

template <class T>
void Fill(const OrthogonalParams& params, const Key& key, void* data, size_t count, Dtype dtype, int threads,
          const Cancel& cancel) {
  const bool transposed = params.rows < params.cols;
  const size_t long_side = transposed ? params.cols : params.rows;
  const size_t columns = transposed ? params.rows : params.cols;
  const size_t block_count = (columns + kBlock - 1) / kBlock;
  const size_t panels = (columns + kPanel - 1) / kPanel;

  size_t total = 0;
  for (size_t b = 0; b < block_count; ++b) total += (long_side - b * kBlock) * kBlock + kBlock * kBlock;
  const auto storage = Allocate<T>(total);
  const auto scale = Allocate<T>(panels * kPanel);
  std::memset(scale.get(), 0, panels * kPanel * sizeof(T));
  std::vector<ReflectorBlock<T>> blocks(block_count);
  T* next = storage.get();
  for (size_t b = 0; b < block_count; ++b) {
    const size_t length = long_side - b * kBlock;
    blocks[b] = {b * kBlock, length, next, next + length * kBlock};
    next += length * kBlock + kBlock * kBlock;
  }
  // Every thread's scratch memory is had before anything is written, so that running out of it changes nothing.
  const size_t scratch_size = (long_side + 2 * kBlock) * kPanel;
  const size_t workers = std::max<size_t>(1, std::min<size_t>(static_cast<size_t>(threads), block_count));
  std::vector<hwy::AlignedFreeUniquePtr<T[]>> scratch;
  for (size_t w = 0; w < workers; ++w) scratch.push_back(Allocate<T>(scratch_size));

  std::atomic<size_t> next_block{0};
  ParallelFor(workers, threads, [&](size_t worker) {
    for (size_t b; (b = next_block.fetch_add(1)) < block_count && !cancel.Requested();) {
      const size_t reflectors = std::min(kBlock, columns - b * kBlock);
      MakeBlock(blocks[b], reflectors, long_side, key, scale.get() + b * kBlock, scratch[worker].get());
    }
  });
  for (size_t c = 0; c < columns; ++c) scale[c] = static_cast<T>(static_cast<double>(scale[c]) * params.gain);

  if (params.stride != 1) std::memset(data, 0, count * DtypeBytes(dtype));
  const PanelOutput<T> out{&params, transposed, long_side, columns, scale.get(), data, dtype, &cancel};
  std::atomic<size_t> next_panel{panels};  // downwards: the last panels have most to do
  ParallelFor(workers, threads, [&](size_t worker) {
    T* panel = scratch[worker].get();
    for (size_t p; (p = next_panel.fetch_sub(1)) - 1 < panels && !cancel.Requested();) {
      WritePanel(blocks, out, (p - 1) * kPanel, panel, panel + long_side * kPanel);
    }
  });
}

}  // namespace

void OrthogonalFill(const OrthogonalParams& params, const Key& key, void* data, size_t count, Dtype dtype, int threads,
                    const Cancel& cancel) {
  if (params.rows == 0 || params.cols == 0) return;
  if (dtype == Dtype::kFloat64) {
    Fill<double>(params, key, data, count, dtype, threads, cancel);
  } else {
    Fill<float>(params, key, data, count, dtype, threads, cancel);
  }
}

}  // namespace nninit
