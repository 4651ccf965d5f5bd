// MT19937 (Matsumoto and Nishimura 1998), PyTorch's generator on the CPU, as a stream of words that many threads can
// enter anywhere.
//
// The generator is one linear sequence of words w[0], w[1], …, of which the first 624 are the seeded state and the
// others are drawn, tempered. Here it goes on in blocks of 624, as PyTorch's state does: block b is w[624·b] … w[624·b
// + 623].
#ifndef NNINIT_RANDOM_MT19937_H_
#define NNINIT_RANDOM_MT19937_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace nninit {

constexpr size_t kMtWords = 624;

// One block, and how many of its words are drawn. A freshly seeded state counts as used up.
struct MtState {
  uint32_t words[kMtWords];
  uint32_t used;
};

// Knuth's recurrence with multiplier 1812433253.
void MtSeed(uint32_t seed, MtState* state);

// A place in the stream, and the words from there on.
class MtCursor {
 public:
  // The most words that Next hands out at once: what fits in a first-level cache beside the values made of them.
  static constexpr size_t kMost = 6 * kMtWords;

  // `skip` words after the state's place.
  MtCursor(const MtState& state, uint64_t skip);

  // The next `count` ≤ kMost words, not yet tempered; valid until the next call.
  const uint32_t* Next(size_t count);

  // Passes over words, by making them where that is faster than jumping.
  void Skip(uint64_t count);

  void Save(MtState* state) const;

 private:
  static constexpr size_t kBlocks = 8;

  // Makes the block after the last one.
  void Grow();

  // Blocks of the stream, one after the other; word 0 is the first of a block.
  std::unique_ptr<uint32_t[]> buffer_;
  size_t place_ = 0;  // the next word to hand out
  size_t end_ = 0;    // the words made
};

inline uint32_t Temper(uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680u;
  y ^= (y << 15) & 0xEFC60000u;
  return y ^ (y >> 18);
}

}  // namespace nninit

#endif  // NNINIT_RANDOM_MT19937_H_
