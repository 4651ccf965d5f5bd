#include "torch/normals.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "types/rounding.h"

namespace nninit {
namespace {

// Elements of a fill that are being drawn, some of which may lie outside the range that is wanted.
class Segment {
 public:
  Segment(const TorchNormals& normals, const Range& range)
      : normals_(normals), range_(range), bytes_(DtypeBytes(range.dtype)), end_(range.begin + range.count) {}

  // Writes `blocks` blocks from element `first` on, as far as they lie in [begin, end) of the range and below `limit`.
  // With `pending`, only values outside the bounds are replaced, and the blocks that stay so are added to it.
  void Write(const uint32_t* words, uint64_t first, size_t blocks, uint64_t limit, std::vector<uint32_t>* pending,
             uint32_t number) {
    limit = std::min(limit, end_);
    const size_t per_block = kTorchBlock * TorchWords(range_.dtype);
    size_t block = 0;
    while (block < blocks) {
      const uint64_t from = first + block * kTorchBlock;
      const uint32_t* at = words + block * per_block;
      const auto id = number + static_cast<uint32_t>(block);
      if (from < range_.begin || from + kTorchBlock > limit) {
        Clipped(at, from, limit, pending, id);
        ++block;
        continue;
      }
      const size_t whole = std::min<uint64_t>(blocks - block, (limit - from) / kTorchBlock);
      Whole(at, whole, Data(from), pending, id);
      block += whole;
    }
  }

  bool any_before() const { return before_; }

 private:
  char* Data(uint64_t element) const { return static_cast<char*>(range_.data) + (element - range_.begin) * bytes_; }

  void Whole(const uint32_t* words, size_t blocks, void* out, std::vector<uint32_t>* pending, uint32_t id) {
    if (pending == nullptr) return TorchNormalWords(normals_.params, range_.dtype, words, blocks, out);
    const size_t known = pending->size();
    pending->resize(known + blocks);
    const size_t more =
        TorchRedrawWords(normals_.params, range_.dtype, words, blocks, out, id, pending->data() + known, &before_);
    pending->resize(known + more);
  }

  // A block of which only a part is wanted goes through memory of its own, where the rest is within the bounds.
  void Clipped(const uint32_t* words, uint64_t first, uint64_t limit, std::vector<uint32_t>* pending, uint32_t id) {
    const uint64_t from = std::max(first, range_.begin);
    const uint64_t to = std::min(first + kTorchBlock, limit);
    if (from >= to) return;
    alignas(64) char block[kTorchBlock * sizeof(double)];
    const uint64_t inside = StorageBits(normals_.params.low, range_.dtype);
    for (size_t i = 0; i < kTorchBlock; ++i) std::memcpy(block + i * bytes_, &inside, bytes_);
    char* part = block + (from - first) * bytes_;
    const size_t size = (to - from) * bytes_;
    if (pending != nullptr) std::memcpy(part, Data(from), size);
    Whole(words, 1, block, pending, id);
    std::memcpy(Data(from), part, size);
  }

  const TorchNormals& normals_;
  const Range& range_;
  size_t bytes_;
  uint64_t end_;
  bool before_ = false;
};

}  // namespace

TorchNormalLayout LayOutNormals(Dtype dtype, uint64_t total) {
  const uint64_t per = TorchWords(dtype);
  const uint64_t rest = total % kTorchBlock;
  // 16-bit dtypes draw block by block, and so never draw what is left over.
  const uint64_t drawn = (DtypeBytes(dtype) == 2 ? total - rest : total) * per;
  if (rest == 0) return {total, false, drawn, drawn};
  return {total - kTorchBlock, true, drawn, drawn + kTorchBlock * per};
}

uint64_t NormalSegment(const TorchNormals& normals, const Range& range, const CancelFlag& cancel, WordReader* words) {
  const auto layout = LayOutNormals(normals.dtype, normals.total);
  const size_t per_block = kTorchBlock * TorchWords(normals.dtype);
  const size_t step = MtCursor::kMost / per_block;
  const uint64_t first = range.begin / kTorchBlock;
  const uint64_t end = std::min(range.begin + range.count, layout.main);
  const uint64_t last = (end + kTorchBlock - 1) / kTorchBlock;
  const bool tail = layout.tail && range.begin + range.count > layout.main;
  constexpr uint32_t kTail = UINT32_MAX;

  Segment segment(normals, range);
  std::vector<uint32_t> pending;
  std::vector<uint32_t> next;
  const auto draw_all = [&](uint64_t round, std::vector<uint32_t>* open) {
    const uint64_t start = round * layout.words;
    for (uint64_t block = first; block < last && !cancel.Requested(); block += step) {
      const auto count = static_cast<size_t>(std::min<uint64_t>(step, last - block));
      segment.Write(words->At(start + block * per_block, count * per_block), block * kTorchBlock, count, end, open,
                    static_cast<uint32_t>(block - first));
    }
    if (tail) segment.Write(words->At(start + layout.tail_word, per_block), layout.main, 1, UINT64_MAX, open, kTail);
  };

  draw_all(0, nullptr);
  if (!normals.redraw) return cancel.Requested() ? 0 : 1;
  draw_all(1, &pending);
  uint64_t rounds = segment.any_before() ? 2 : 1;
  const uint64_t most = MostTorchRounds(layout.words);
  while (!pending.empty() && !cancel.Requested() && rounds < most) {
    const uint64_t start = rounds++ * layout.words;
    next.clear();
    for (const uint32_t id : pending) {
      if (cancel.Requested()) return 0;
      if (id == kTail) {
        segment.Write(words->At(start + layout.tail_word, per_block), layout.main, 1, UINT64_MAX, &next, kTail);
      } else {
        const uint64_t block = first + id;
        segment.Write(words->At(start + block * per_block, per_block), block * kTorchBlock, 1, end, &next, id);
      }
    }
    pending.swap(next);
  }
  return cancel.Requested() || !pending.empty() ? 0 : rounds;
}

uint64_t ShortNormals(const TorchNormals& normals, TorchState* state, double* out) {
  const TorchNormal& p = normals.params;
  MtCursor cursor(state->mt, 0);
  const auto rounded = [&](double x) {
    return normals.dtype == Dtype::kFloat64 ? x
                                            : RoundNearest(static_cast<double>(static_cast<float>(x)), normals.dtype);
  };
  const auto outside = [&](double x) { return x < p.low || x > p.high; };
  // Normals come in pairs, of which the last one's second is left over for the next fill where the number is odd.
  double standard[kTorchShort + 1];
  const auto draw = [&] {
    if (normals.total == 0) return;
    standard[0] = state->normal;
    const size_t known = state->has_normal ? 1 : 0;
    const size_t pairs = (static_cast<size_t>(normals.total) - known + 1) / 2;
    if (pairs > 0) {
      TorchShortNormals(cursor.Next(4 * pairs), pairs, standard + known);
      state->fresh = false;
    }
    state->has_normal = known + 2 * pairs > normals.total;
    if (state->has_normal) state->normal = standard[normals.total];
  };
  uint64_t rounds = 0;
  bool again = true;
  while (again) {
    if (rounds == MostTorchRounds(2 * kTorchShort)) return 0;
    again = false;
    draw();
    for (uint64_t i = 0; i < normals.total; ++i) {
      const double x = rounded(std::fma(standard[i], p.std, p.mean));
      if (rounds == 0 || outside(out[i])) out[i] = x;
      again = again || (normals.redraw && outside(out[i]));
    }
    ++rounds;
  }
  cursor.Save(&state->mt);
  return rounds;
}

}  // namespace nninit
