#include "linalg/qr.h"

#include <algorithm>
#include <atomic>

#include "linalg/product.h"

namespace nninit {
namespace {

// Calls body(begin, end) for chunks of `rows` rows, on all threads; false if cancelled.
template <class Body>
bool InChunks(size_t rows, int threads, const CancelFlag& cancel, const Body& body) {
  ParallelFor((rows + kChunkRows - 1) / kChunkRows, threads, [&](size_t task) {
    if (!cancel.Requested()) body(task * kChunkRows, std::min(rows, (task + 1) * kChunkRows));
  });
  return !cancel.Requested();
}

// Turns columns into reflectors, one after the other, each reflected by those before it first. `columns` are of
// block.length elements each; reflector c begins in row c.
template <class T>
void Factorize(const ReflectorBlock<T>& block, T* columns, Reflection* reflections, int threads,
               const CancelFlag& cancel) {
  constexpr size_t kWorthThreads = size_t{1} << 16;
  for (size_t c = 0; c < block.count && !cancel.Requested(); ++c) {
    const size_t length = block.length - c;
    T* v = columns + c * block.length + c;
    DotProduct squares;
    InStretches(length - 1, kStretchRows, cancel,
                [&](size_t begin, size_t end) { squares.Add(v + 1 + begin, v + 1 + begin, end - begin); });
    const double alpha = static_cast<double>(v[0]);
    reflections[c] = ReflectionOf(alpha, squares.Total());
    InStretches(length, kStretchRows, cancel, [&](size_t begin, size_t end) {
      ScaleColumn(v + begin, end - begin, reflections[c].scale, v + begin, 1);
    });
    v[0] = T{1};
    const size_t others = block.count - c - 1;
    ParallelFor(others, others * length < kWorthThreads ? 1 : threads, [&](size_t other) {
      T* x = columns + (c + 1 + other) * block.length + c;
      DotProduct dot;
      InStretches(length, kStretchRows, cancel,
                  [&](size_t begin, size_t end) { dot.Add(v + begin, x + begin, end - begin); });
      const double factor = reflections[c].tau * dot.Total();
      InStretches(length, kStretchRows, cancel,
                  [&](size_t begin, size_t end) { SubtractColumn(factor, v + begin, end - begin, x + begin); });
    });
  }
}

// Puts the reflectors that the columns have become into V, and makes T.
template <class T>
bool Gather(ReflectorProduct<T>* product, size_t b, const T* columns, int threads, const CancelFlag& cancel) {
  const ReflectorBlock<T>& block = product->blocks[b];
  const bool all = InChunks(block.length, threads, cancel, [&](size_t begin, size_t end) {
    for (size_t c = 0; c < block.count; ++c) {
      const size_t from = std::min(std::max(begin, c), end);
      for (size_t i = begin; i < from; ++i) block.v[i * block.count + c] = 0;
      ScaleColumn(columns + c * block.length + from, end - from, 1, block.v + from * block.count + c, block.count);
    }
  });
  if (all) product->MakeTriangles(b, b + 1, threads, cancel);
  return !cancel.Requested();
}

// A matrix of one block: its memory is what the reflectors are made in, or where they end.
template <class T>
bool RunOneBlock(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
                 const std::function<bool(void*)>& make) {
  const bool transposed = fill.rows < fill.cols;
  const bool in_place = fill.stride == 1 && DtypeBytes(range.dtype) == sizeof(T);
  const size_t count = fill.rows * fill.cols;
  const auto aside = AllocateVectors<T>(in_place ? 0 : count);
  T* given = in_place ? static_cast<T*>(range.data) : aside.get();
  const auto turned = AllocateVectors<T>(transposed ? 0 : count);
  T* columns = transposed ? given : turned.get();
  ReflectorProduct<T> product(fill, threads, transposed ? nullptr : given);
  if (!make(given)) return false;
  const ReflectorBlock<T>& block = product.blocks[0];
  if (!transposed) {
    InChunks(block.length, threads, cancel, [&](size_t begin, size_t end) {
      for (size_t c = 0; c < block.count; ++c) {
        for (size_t i = begin; i < end; ++i) columns[c * block.length + i] = given[i * block.count + c];
      }
    });
  }
  Factorize(block, columns, product.reflections.data(), threads, cancel);
  if (!Gather(&product, 0, columns, threads, cancel)) return false;
  product.Write(range, threads, cancel);
  return !cancel.Requested();
}

// The matrix in panels of kPanel columns, each long_side × kPanel, row-major.
template <class T>
class Panels {
 public:
  explicit Panels(const ReflectorProduct<T>& product)
      : rows_(product.long_side), memory_(AllocateVectors<T>(product.Panels() * product.long_side * kPanel)) {}

  T& At(size_t row, size_t column) { return Panel(column / kPanel)[row * kPanel + column % kPanel]; }
  T* Panel(size_t panel) { return memory_.get() + panel * rows_ * kPanel; }

 private:
  size_t rows_;
  hwy::AlignedFreeUniquePtr<T[]> memory_;
};

template <class T>
bool RunBlocks(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
               const std::function<bool(void*)>& make) {
  ReflectorProduct<T> product(fill, threads);
  Panels<T> matrix(product);
  const auto columns = AllocateVectors<T>(kBlock * product.long_side);
  {
    const auto given = AllocateVectors<T>(fill.rows * fill.cols);
    if (!make(given.get())) return false;
    const bool all = InChunks(product.long_side, threads, cancel, [&](size_t begin, size_t end) {
      const size_t padded = product.Panels() * kPanel;
      for (size_t c = 0; c < padded; ++c) {
        for (size_t i = begin; i < end; ++i) {
          const size_t at = product.transposed ? c * fill.cols + i : i * fill.cols + c;
          matrix.At(i, c) = c < product.columns ? given[at] : T{0};
        }
      }
    });
    if (!all) return false;
  }
  for (size_t b = 0; b < product.blocks.size(); ++b) {
    const ReflectorBlock<T>& block = product.blocks[b];
    InChunks(block.length, threads, cancel, [&](size_t begin, size_t end) {
      for (size_t c = 0; c < block.count; ++c) {
        for (size_t i = begin; i < end; ++i) {
          columns[c * block.length + i] = matrix.At(block.first + i, block.first + c);
        }
      }
    });
    Factorize(block, columns.get(), product.reflections.data() + b * kBlock, threads, cancel);
    if (!Gather(&product, b, columns.get(), threads, cancel)) return false;
    // The columns to the right get the block's transposed: (I − V·T·Vᵀ)ᵀ has Tᵀ in the middle. A panel that begins
    // within the block is reflected as a whole, since nobody looks at its columns on the left any more.
    T transposed[kBlock * kBlock];
    for (size_t r = 0; r < kBlock; ++r) {
      for (size_t c = 0; c < kBlock; ++c) transposed[r * kBlock + c] = block.t[c * kBlock + r];
    }
    const ReflectorBlock<T> backwards{block.first, block.length, block.count, block.v, transposed};
    const size_t first = (block.first + block.count) / kPanel;
    std::atomic<size_t> next{first};
    ParallelFor(product.workers(), threads, [&](size_t worker) {
      for (size_t p; (p = next.fetch_add(1)) < product.Panels() && !cancel.Requested();) {
        ApplyReflectors(backwards, matrix.Panel(p) + block.first * kPanel, product.scratch(worker), cancel);
      }
    });
  }
  product.Write(range, threads, cancel);
  return !cancel.Requested();
}

template <class T>
bool RunAs(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
           const std::function<bool(void*)>& make) {
  if (std::min(fill.rows, fill.cols) <= kBlock) return RunOneBlock<T>(fill, range, threads, cancel, make);
  return RunBlocks<T>(fill, range, threads, cancel, make);
}

}  // namespace

bool RunQr(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
           const std::function<bool(void*)>& make) {
  if (fill.rows == 0 || fill.cols == 0) return true;
  if (range.dtype == Dtype::kFloat64) return RunAs<double>(fill, range, threads, cancel, make);
  return RunAs<float>(fill, range, threads, cancel, make);
}

}  // namespace nninit
