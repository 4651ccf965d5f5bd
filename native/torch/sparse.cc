#include "torch/sparse.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>

#include "system/threads.h"
#include "torch/word_reader.h"

namespace nninit {

uint64_t TorchSparseWords(const SparseFill& fill) { return fill.rows > 0 ? (fill.rows - 1) * fill.cols : 0; }

TorchSparsifier::TorchSparsifier(const SparseFill& fill, int threads) : fill_(fill) {
  if (fill.rows == 0) return;
  rows_.resize(std::min<uint64_t>(static_cast<uint64_t>(std::max(threads, 1)), fill.cols));
  for (auto& rows : rows_) rows.reset(new uint32_t[fill.rows]);
}

void TorchSparsifier::Run(const MtState& start, const Range& range, const CancelFlag& cancel) const {
  const SparseFill& fill = fill_;
  const size_t bytes = DtypeBytes(range.dtype);
  const uint64_t draws = fill.rows - 1;
  const uint64_t parts = rows_.size();
  ParallelFor(parts, static_cast<int>(parts), [&](size_t part) {
    uint32_t* rows = rows_[part].get();
    const uint64_t first = fill.cols * part / parts;
    const uint64_t last = fill.cols * (part + 1) / parts;
    WordReader words(start, first * draws);
    for (uint64_t column = first; column < last && !cancel.Requested(); ++column) {
      InStretches(fill.rows, size_t{1} << 18, cancel,
                  [&](size_t begin, size_t end) { std::iota(rows + begin, rows + end, static_cast<uint32_t>(begin)); });
      for (uint64_t i = 0; i < draws && !cancel.Requested();) {
        const auto count = static_cast<size_t>(std::min<uint64_t>(MtCursor::kMost, draws - i));
        const uint32_t* drawn = words.At(column * draws + i, count);
        // The permutation's first `zeros` rows are settled by as many draws.
        const auto needed = static_cast<size_t>(std::min<uint64_t>(count, fill.zeros > i ? fill.zeros - i : 0));
        for (size_t k = 0; k < needed; ++k, ++i) {
          const auto left = static_cast<uint32_t>(fill.rows - i);  // 2 and more, which the linter cannot see
          std::swap(rows[i], rows[i + Temper(drawn[k]) % std::max(left, 1U)]);
        }
        i += count - needed;
      }
      char* at = static_cast<char*>(range.data) + column * bytes;
      InStretches(fill.zeros, 4096, cancel, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) std::memset(at + rows[i] * fill.cols * bytes, 0, bytes);
      });
    }
  });
}

}  // namespace nninit
