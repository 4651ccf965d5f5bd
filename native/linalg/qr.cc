#include "linalg/qr.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "linalg/product.h"

namespace nninit {
namespace {

// The matrix in panels of kPanel columns, each long_side × kPanel, row-major.
template <class T>
class Panels {
 public:
  Panels(const ReflectorProduct<T>& product, const CancelFlag& cancel)
      : rows_(product.long_side), memory_(AllocateVectors<T>(product.Panels() * product.long_side * kPanel)) {
    ClearMemory(memory_.get(), product.Panels() * product.long_side * kPanel * sizeof(T), cancel);
  }

  T& At(size_t row, size_t column) { return Panel(column / kPanel)[row * kPanel + column % kPanel]; }
  T* Panel(size_t panel) { return memory_.get() + panel * rows_ * kPanel; }

 private:
  size_t rows_;
  hwy::AlignedFreeUniquePtr<T[]> memory_;
};

// Factorizes the columns of one block, one after the other: each is reflected by those before it first.
template <class T>
void Factorize(const ReflectorBlock<T>& block, size_t count, Panels<T>* matrix, T* signs, const CancelFlag& cancel) {
  Clear(block, cancel);
  const auto columns = AllocateVectors<T>(count * block.length);
  for (size_t c = 0; c < count; ++c) {
    InStretches(block.length, kStretchRows, cancel, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        columns[c * block.length + i] = matrix->At(block.first + i, block.first + c);
      }
    });
  }
  const auto reflector = AllocateVectors<T>(block.length);
  for (size_t c = 0; c < count && !cancel.Requested(); ++c) {
    const size_t length = block.length - c;
    const auto reflection = AddReflector(block, c, columns.get() + c * block.length + c, cancel);
    signs[c] = reflection.sign;
    InStretches(length, kStretchRows, cancel, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) reflector[i] = block.v[(c + i) * kBlock + c];
    });
    for (size_t other = c + 1; other < count && !cancel.Requested(); ++other) {
      T* x = columns.get() + other * block.length + c;
      const double factor = reflection.tau * Dot(reflector.get(), x, length, cancel);
      InStretches(length, kStretchRows, cancel, [&, v = reflector.get()](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
          x[i] = static_cast<T>(static_cast<double>(x[i]) - factor * static_cast<double>(v[i]));
        }
      });
    }
  }
}

template <class T>
bool RunAs(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
           const std::function<bool(void*)>& make) {
  ReflectorProduct<T> product(fill, threads);
  Panels<T> matrix(product, cancel);
  {
    const auto given = AllocateVectors<T>(fill.rows * fill.cols);
    if (!make(given.get())) return false;
    for (size_t r = 0; r < fill.rows; ++r) {
      const bool all = InStretches(fill.cols, kStretchRows, cancel, [&](size_t begin, size_t end) {
        for (size_t c = begin; c < end; ++c) {
          (product.transposed ? matrix.At(c, r) : matrix.At(r, c)) = given[r * fill.cols + c];
        }
      });
      if (!all) return false;
    }
  }
  for (size_t b = 0; b < product.blocks.size(); ++b) {
    if (cancel.Requested()) return false;
    const ReflectorBlock<T>& block = product.blocks[b];
    Factorize(block, product.Reflectors(b), &matrix, product.signs() + b * kBlock, cancel);
    // The columns to the right get the block's transposed: (I − V·T·Vᵀ)ᵀ has Tᵀ in the middle. A panel that begins
    // within the block is reflected as a whole, since nobody looks at its columns on the left any more.
    T transposed[kBlock * kBlock];
    for (size_t r = 0; r < kBlock; ++r) {
      for (size_t c = 0; c < kBlock; ++c) transposed[r * kBlock + c] = block.t[c * kBlock + r];
    }
    const ReflectorBlock<T> backwards{block.first, block.length, block.v, transposed};
    const size_t first = (block.first + product.Reflectors(b)) / kPanel;
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

}  // namespace

bool RunQr(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
           const std::function<bool(void*)>& make) {
  if (fill.rows == 0 || fill.cols == 0) return true;
  if (range.dtype == Dtype::kFloat64) return RunAs<double>(fill, range, threads, cancel, make);
  return RunAs<float>(fill, range, threads, cancel, make);
}

}  // namespace nninit
