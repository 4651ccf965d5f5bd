// The words of a fill by their number.
#ifndef NNINIT_TORCH_WORD_READER_H_
#define NNINIT_TORCH_WORD_READER_H_

#include <algorithm>
#include <cstdint>

#include "random/mt19937.h"

namespace nninit {

// More draws than this of one fill end in an error, as do those that 64 bits cannot count the words of: PyTorch would
// draw on and on.
inline uint64_t MostTorchRounds(uint64_t words_of_one) {
  constexpr uint64_t kMost = 100000;
  constexpr uint64_t kMostWords = uint64_t{1} << 62;
  return words_of_one == 0 ? kMost : std::min(kMost, kMostWords / words_of_one);
}

class WordReader {
 public:
  WordReader(const MtState& start, uint64_t word) : start_(start), cursor_(start, word), at_(word) {}

  // Words [word, word + count), count ≤ MtCursor::kMost. Going back costs a jump from the start.
  const uint32_t* At(uint64_t word, size_t count) {
    if (word < at_) {
      cursor_ = MtCursor(start_, word);
    } else {
      cursor_.Skip(word - at_);
    }
    at_ = word + count;
    return cursor_.Next(count);
  }

  uint64_t at() const { return at_; }
  void Save(MtState* state) const { cursor_.Save(state); }

 private:
  const MtState& start_;
  MtCursor cursor_;
  uint64_t at_;
};

}  // namespace nninit

#endif  // NNINIT_TORCH_WORD_READER_H_
