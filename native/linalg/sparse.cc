#include "linalg/sparse.h"

#include <hwy/base.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "kernels/normal.h"
#include "random/philox_tiles.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {
namespace {

constexpr uint64_t kGroup = 64;           // columns whose zeros share one word a row
constexpr uint64_t kGroupsAtOnce = 1024;  // between looks at the flag
constexpr uint64_t kTaskDraws = 1 << 14;  // a task of less would cost more to hand out than to do, or to skip

// ⌊word·bound / 2^64⌋ : uniform below `bound` ≤ 2^32, with a bias of at most bound/2^64.
uint64_t UniformBelow(uint64_t word, uint64_t bound) {
  const uint64_t low = word & 0xFFFFFFFFU;
  return ((word >> 32) * bound + (low * bound >> 32)) >> 32;
}

// Marks a random subset of `zeros` rows in bit `column % kGroup` of mask, by Floyd's algorithm (Bentley and Floyd,
// 1987). Draw d of a column is the d-th 64-bit word from the column's own blocks on.
void ChooseRows(const SparseFill& p, const Key& key, uint64_t column, uint64_t* mask, const CancelFlag& cancel) {
  constexpr uint64_t kDraws = kTileWords / 2;
  alignas(64) uint64_t words[kDraws];
  const uint64_t bit = uint64_t{1} << (column % kGroup);
  const uint64_t first_tile = (kAuxiliaryBlocks + (column << 31)) / kTileBlocks;
  for (uint64_t d = 0; d < p.zeros; ++d) {
    if (d % kDraws == 0) {
      if (cancel.Requested()) return;
      PhiloxTiles(key, first_tile + d / kDraws, 1, reinterpret_cast<uint32_t*>(words));
    }
    const uint64_t last = p.rows - p.zeros + d;
    const uint64_t row = UniformBelow(words[d % kDraws], last + 1);
    mask[(mask[row] & bit) ? last : row] |= bit;
  }
}

}  // namespace

void RunSparse(const SparseFill& p, const Key& key, const Range& range, int threads, const CancelFlag& cancel) {
  const size_t bytes = DtypeBytes(range.dtype);
  const uint64_t groups = (p.cols + kGroup - 1) / kGroup;
  const std::unique_ptr<uint64_t[]> masks(new uint64_t[groups * p.rows]);  // [group][row]
  AskForHugePages(masks.get(), groups * p.rows * sizeof(uint64_t));
  const uint64_t by = std::max<uint64_t>(1, kTaskDraws / (kGroup * (p.zeros + 1) + p.rows));
  ParallelFor((groups + by - 1) / by, threads, [&](size_t task) {
    const uint64_t last = std::min<uint64_t>(groups, (task + 1) * by);
    for (uint64_t group = task * by; group < last && !cancel.Requested(); ++group) {
      uint64_t* mask = masks.get() + group * p.rows;
      ClearMemory(mask, p.rows * sizeof(uint64_t), cancel);
      const uint64_t end = std::min(p.cols, (group + 1) * kGroup);
      for (uint64_t column = group * kGroup; column < end && !cancel.Requested(); ++column) {
        ChooseRows(p, key, column, mask, cancel);
      }
    }
  });

  // Few enough rows at a time for them to be still in the cache when zeros are put in.
  const uint64_t step = std::max<uint64_t>(1, (size_t{128} << 10) / (bytes * std::max<uint64_t>(p.cols, 1)));
  ParallelFor((p.rows + step - 1) / step, threads, [&](size_t task) {
    if (cancel.Requested()) return;
    const uint64_t begin = task * step;
    const uint64_t end = std::min(p.rows, begin + step);
    char* out = static_cast<char*>(range.data) + begin * p.cols * bytes;
    const Range rows{out, range.dtype, begin * p.cols, static_cast<size_t>((end - begin) * p.cols)};
    // More than one where a row alone is longer.
    InStretches(rows.count, kStretchNormals, cancel, [&](size_t first, size_t last) {
      NormalRange({0, p.std}, key, rows.Part(first, last - first));
    });
    for (uint64_t row = begin; row < end; ++row, out += p.cols * bytes) {
      for (uint64_t first = 0; first < groups; first += kGroupsAtOnce) {
        if (cancel.Requested()) return;
        const uint64_t last = std::min(groups, first + kGroupsAtOnce);
        const uint64_t* mask = masks.get() + first * p.rows + row;
        for (uint64_t group = first; group < last; ++group, mask += p.rows) {
          for (uint64_t bits = *mask; bits != 0; bits &= bits - 1) {
            const uint64_t column = group * kGroup + hwy::Num0BitsBelowLS1Bit_Nonzero64(bits);
            std::memset(out + column * bytes, 0, bytes);
          }
        }
      }
    }
  });
}

}  // namespace nninit
