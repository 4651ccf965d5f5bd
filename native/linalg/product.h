// The product of reflections that a matrix with orthonormal columns is made of.
#ifndef NNINIT_LINALG_PRODUCT_H_
#define NNINIT_LINALG_PRODUCT_H_

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <vector>

#include "linalg/columns.h"
#include "linalg/panel.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {

template <class T>
hwy::AlignedFreeUniquePtr<T[]> AllocateVectors(size_t count) {
  // From where all other memory comes, too.
  const auto take = [](void* /*opaque*/, size_t bytes) { return ::operator new(bytes, std::nothrow); };
  const auto give_back = [](void* /*opaque*/, void* memory) { ::operator delete(memory); };
  auto memory = hwy::AllocateAligned<T>(std::max<size_t>(count, 1), take, give_back, nullptr);
  if (!memory) throw std::bad_alloc();
  AskForHugePages(memory.get(), count * sizeof(T));  // quick to have, and to give back
  return memory;
}

// Room for all blocks, and for every thread's scratch: had before anything is written, so that running out of memory
// changes nothing. The matrix is long_side × columns, and is written transposed where it has more columns than rows.
template <class T>
class ReflectorProduct {
 public:
  // The V of a single block may lie elsewhere, at `v`.
  ReflectorProduct(const OrthogonalFill& fill, int threads, T* v = nullptr)
      : transposed(fill.rows < fill.cols),
        long_side(transposed ? fill.cols : fill.rows),
        columns(transposed ? fill.rows : fill.cols),
        blocks((columns + kBlock - 1) / kBlock),
        reflections(blocks.size() * kBlock),
        fill_(fill),
        scale_(AllocateVectors<T>(PaddedColumns())) {
    size_t total = 0;
    for (size_t b = 0; b < blocks.size(); ++b) {
      const size_t first = b * kBlock;
      blocks[b] = {first, long_side - first, std::min(kBlock, columns - first), v, nullptr};
      total += (v == nullptr ? blocks[b].length * blocks[b].count : 0) + kBlock * kBlock;
    }
    storage_ = AllocateVectors<T>(total);
    T* next = storage_.get();
    for (ReflectorBlock<T>& block : blocks) {
      block.t = next;
      next += kBlock * kBlock;
      if (block.v != nullptr) continue;
      block.v = next;
      next += block.length * block.count;
    }
    const size_t most = IsOneBlock() ? Tasks() : Panels();
    const size_t workers = std::max<size_t>(1, std::min<size_t>(static_cast<size_t>(threads), most));
    for (size_t w = 0; w < workers; ++w) {
      scratch_.push_back(AllocateVectors<T>(IsOneBlock() ? kRowsWork : (long_side + 2 * kBlock) * kPanel));
    }
    const size_t blocks_at_once = std::min<size_t>(workers, blocks.size());
    parts_ = std::min(workers / blocks_at_once, kBlock / 12);
    products_.reset(new double[blocks.size() * kProducts]);
  }

  bool IsOneBlock() const { return blocks.size() == 1; }
  size_t Panels() const { return (columns + kPanel - 1) / kPanel; }
  size_t workers() const { return scratch_.size(); }
  // Room for a panel, where there are more blocks than one.
  T* scratch(size_t worker) const { return scratch_[worker].get(); }

  // Makes the triangles of blocks [begin, end), whose V and reflections are there.
  void MakeTriangles(size_t begin, size_t end, int threads, const CancelFlag& cancel) {
    ParallelFor((end - begin) * parts_, threads, [&](size_t task) {
      const size_t b = begin + task / parts_;
      ColumnProducts(blocks[b], task % parts_, parts_, products_.get() + b * kProducts, cancel);
    });
    if (cancel.Requested()) return;
    for (size_t b = begin; b < end; ++b) {
      MakeTriangle(blocks[b], reflections.data() + b * kBlock, products_.get() + b * kProducts);
    }
  }

  // Multiplies the reflections out, once all are there. Neither panels nor the rows of a single one depend on others.
  void Write(const Range& range, int threads, const CancelFlag& cancel) {
    std::fill_n(scale_.get(), PaddedColumns(), T{0});
    for (size_t c = 0; c < columns; ++c) scale_[c] = static_cast<T>(reflections[c].sign * fill_.gain);
    if (fill_.stride != 1 && !ClearMemory(range.data, range.Bytes(), cancel)) return;
    // The rest of V may lie where the result goes.
    if (IsOneBlock()) std::copy_n(blocks[0].v, columns * columns, top_);
    const PanelOutput<T> out{&fill_, transposed, long_side, columns, scale_.get(), top_, &range, &cancel};
    const size_t tasks = IsOneBlock() ? Tasks() : Panels();
    std::atomic<size_t> done{0};
    std::atomic<size_t> next{tasks};  // downwards: the last panels have most to do
    ParallelFor(workers(), threads, [&](size_t worker) {
      T* work = scratch(worker);
      for (size_t task; (task = next.fetch_sub(1) - 1) < tasks && !cancel.Requested();) {
        if (IsOneBlock()) {
          const size_t begin = task * kStretchRows;
          WriteRows(blocks[0], out, begin, std::min(kStretchRows, long_side - begin), work);
        } else {
          WritePanel(blocks, out, task * kPanel, work, work + long_side * kPanel);
        }
        cancel.Tell(done.fetch_add(1) + 1, tasks);
      }
    });
  }

  const bool transposed;
  const size_t long_side;
  const size_t columns;
  std::vector<ReflectorBlock<T>> blocks;
  std::vector<Reflection> reflections;  // of all columns

 private:
  // As many as the last panel or block would have.
  size_t PaddedColumns() const { return Panels() * kPanel + kBlock; }
  // Into which the rows of a single block are cut.
  size_t Tasks() const { return (long_side + kStretchRows - 1) / kStretchRows; }

  OrthogonalFill fill_;
  T top_[kBlock * kBlock];
  size_t parts_;  // in which a block's products are made
  std::unique_ptr<double[]> products_;
  hwy::AlignedFreeUniquePtr<T[]> storage_;
  hwy::AlignedFreeUniquePtr<T[]> scale_;
  std::vector<hwy::AlignedFreeUniquePtr<T[]>> scratch_;
};

}  // namespace nninit

#endif  // NNINIT_LINALG_PRODUCT_H_
