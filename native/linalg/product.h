// The product of reflections that a matrix with orthonormal columns is made of.
#ifndef NNINIT_LINALG_PRODUCT_H_
#define NNINIT_LINALG_PRODUCT_H_

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <vector>

#include "linalg/panel.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {

template <class T>
hwy::AlignedFreeUniquePtr<T[]> AllocateVectors(size_t count) {
  auto memory = hwy::AllocateAligned<T>(count);
  if (!memory) throw std::bad_alloc();
  AskForHugePages(memory.get(), count * sizeof(T));  // quick to have, and to give back
  return memory;
}

// Room for all blocks, and for every thread's scratch: had before anything is written, so that running out of memory
// changes nothing. The matrix is long_side × columns, and is written transposed where it has more columns than rows.
template <class T>
class ReflectorProduct {
 public:
  ReflectorProduct(const OrthogonalFill& fill, int threads)
      : transposed(fill.rows < fill.cols),
        long_side(transposed ? fill.cols : fill.rows),
        columns(transposed ? fill.rows : fill.cols),
        blocks((columns + kBlock - 1) / kBlock),
        fill_(fill),
        scale_(AllocateVectors<T>(Panels() * kPanel)) {
    size_t total = 0;
    for (size_t b = 0; b < blocks.size(); ++b) total += (long_side - b * kBlock) * kBlock + kBlock * kBlock;
    storage_ = AllocateVectors<T>(total);
    std::memset(scale_.get(), 0, Panels() * kPanel * sizeof(T));
    T* next = storage_.get();
    for (size_t b = 0; b < blocks.size(); ++b) {
      const size_t length = long_side - b * kBlock;
      blocks[b] = {b * kBlock, length, next, next + length * kBlock};
      next += length * kBlock + kBlock * kBlock;
    }
    const size_t workers = std::max<size_t>(1, std::min<size_t>(static_cast<size_t>(threads), blocks.size()));
    for (size_t w = 0; w < workers; ++w) {
      scratch_.push_back(AllocateVectors<T>((long_side + 2 * kBlock) * kPanel));
    }
  }

  size_t Panels() const { return (columns + kPanel - 1) / kPanel; }
  // The reflectors in a block.
  size_t Reflectors(size_t block) const { return std::min(kBlock, columns - block * kBlock); }
  size_t workers() const { return scratch_.size(); }
  // long_side × kPanel elements, and 2·kBlock × kPanel behind them.
  T* scratch(size_t worker) const { return scratch_[worker].get(); }
  // Of R's diagonal, one for each column.
  T* signs() const { return scale_.get(); }

  // Multiplies the reflections out, once all blocks and signs are there. Panels do not depend on one another.
  void Write(const Range& range, int threads, const CancelFlag& cancel) {
    for (size_t c = 0; c < columns; ++c) scale_[c] = static_cast<T>(static_cast<double>(scale_[c]) * fill_.gain);
    if (fill_.stride != 1 && !ClearMemory(range.data, range.Bytes(), cancel)) return;
    const PanelOutput<T> out{&fill_, transposed, long_side, columns, scale_.get(), &range, &cancel};
    std::atomic<size_t> next_panel{Panels()};  // downwards: the last panels have most to do
    ParallelFor(workers(), threads, [&](size_t worker) {
      T* panel = scratch(worker);
      for (size_t p; (p = next_panel.fetch_sub(1)) - 1 < Panels() && !cancel.Requested();) {
        WritePanel(blocks, out, (p - 1) * kPanel, panel, panel + long_side * kPanel);
      }
    });
  }

  const bool transposed;
  const size_t long_side;
  const size_t columns;
  std::vector<ReflectorBlock<T>> blocks;

 private:
  OrthogonalFill fill_;
  hwy::AlignedFreeUniquePtr<T[]> storage_;
  hwy::AlignedFreeUniquePtr<T[]> scale_;
  std::vector<hwy::AlignedFreeUniquePtr<T[]>> scratch_;
};

}  // namespace nninit

#endif  // NNINIT_LINALG_PRODUCT_H_
