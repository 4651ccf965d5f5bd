// Tiles of Philox words for the kernels. Per-target code: include after hwy/highway.h, inside foreach_target.
#if defined(NNINIT_RANDOM_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_RANDOM_PHILOX_INL_H_
#undef NNINIT_RANDOM_PHILOX_INL_H_
#else
#define NNINIT_RANDOM_PHILOX_INL_H_
#endif

#include <hwy/highway.h>

#include "random/philox.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A buffer for the words of one tile.
struct TileWords {
  HWY_ALIGN uint32_t word[kTileWords];
};

#if HWY_TARGET == HWY_SCALAR

// Calls body(words, tile) for each of the tiles [first, first + count).
template <class Body>
HWY_INLINE void ForEachTile(const Key& key, uint64_t first, uint64_t count, const Body& body) {
  TileWords words;
  for (uint64_t tile = first; tile < first + count; ++tile) {
    for (size_t i = 0; i < kTileBlocks; ++i) {
      const PhiloxBlock block = Philox(key, tile * kTileBlocks + i);
      words.word[2 * i] = block.word[0];
      words.word[2 * i + 1] = block.word[1];
      words.word[kTileWords / 2 + 2 * i] = block.word[2];
      words.word[kTileWords / 2 + 2 * i + 1] = block.word[3];
    }
    body(words.word, tile);
  }
}

#else

// Each 32-bit word of the state sits in the low half of a 64-bit lane, one block a lane, because the multiplication
// that Philox needs reads exactly that half. High halves hold leftovers that nothing reads.
// Four independent chains hide the latency of the multiplications; on targets with 16 registers that is worth the
// spills.
constexpr size_t kPhiloxChains = 4;
using PhiloxTag = hn::CappedTag<uint64_t, kTileBlocks / kPhiloxChains>;
using PhiloxV = hn::Vec<PhiloxTag>;

struct RoundKeys {
  explicit RoundKeys(uint64_t seed) {
    uint32_t w0 = static_cast<uint32_t>(seed);
    uint32_t w1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      k0[round] = w0;
      k1[round] = w1;
      w0 += kPhiloxWeyl0;
      w1 += kPhiloxWeyl1;
    }
  }

  uint64_t k0[kPhiloxRounds];
  uint64_t k1[kPhiloxRounds];
};

HWY_INLINE PhiloxV PhiloxMultiply(PhiloxV a, PhiloxV b) {
  const hn::Repartition<uint32_t, PhiloxTag> d32;
  return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b));
}

// kPhiloxChains·Lanes blocks of a tile. The last four vectors are what the first two rounds make of the stream and the
// high half of the block number alone: x3 ^ k1 of round 1, then x1 ^ k0, hi(p0) ^ k1 and x3 of round 2.
HWY_INLINE void PhiloxBlocks(const RoundKeys& keys, PhiloxV counter, PhiloxV a2, PhiloxV a0, PhiloxV b2, PhiloxV x3_2,
                             uint64_t* HWY_RESTRICT out) {
  const PhiloxTag d;
  const size_t lanes = hn::Lanes(d);
  const PhiloxV m0 = hn::Set(d, kPhiloxMultiplier0);
  const PhiloxV m1 = hn::Set(d, kPhiloxMultiplier1);
  PhiloxV x0[kPhiloxChains], x1[kPhiloxChains], x2[kPhiloxChains], x3[kPhiloxChains];
  HWY_UNROLL(4)
  for (size_t c = 0; c < kPhiloxChains; ++c) {
    const PhiloxV p0_1 = PhiloxMultiply(hn::Add(counter, hn::Set(d, c * lanes)), m0);
    const PhiloxV p1_2 = PhiloxMultiply(hn::Xor(hn::ShiftRight<32>(p0_1), a2), m1);
    x0[c] = hn::Xor(hn::ShiftRight<32>(p1_2), a0);
    x1[c] = p1_2;
    x2[c] = hn::Xor(b2, p0_1);
    x3[c] = x3_2;
  }
  HWY_UNROLL(8)
  for (int round = 2; round < kPhiloxRounds - 1; ++round) {
    const PhiloxV k0 = hn::Set(d, keys.k0[round]);
    const PhiloxV k1 = hn::Set(d, keys.k1[round]);
    HWY_UNROLL(4)
    for (size_t c = 0; c < kPhiloxChains; ++c) {
      const PhiloxV p0 = PhiloxMultiply(x0[c], m0);
      const PhiloxV p1 = PhiloxMultiply(x2[c], m1);
      x0[c] = hn::Xor3(hn::ShiftRight<32>(p1), x1[c], k0);
      x2[c] = hn::Xor3(hn::ShiftRight<32>(p0), x3[c], k1);
      x1[c] = p1;
      x3[c] = p0;
    }
  }
  // The last round leaves two words in one lane: the product's halves, swapped, with the xor on what is now low.
  const PhiloxV low = hn::Set(d, uint64_t{0xFFFFFFFFu});
  const PhiloxV k0 = hn::Set(d, keys.k0[kPhiloxRounds - 1]);
  const PhiloxV k1 = hn::Set(d, keys.k1[kPhiloxRounds - 1]);
  HWY_UNROLL(4)
  for (size_t c = 0; c < kPhiloxChains; ++c) {
    const PhiloxV p0 = PhiloxMultiply(x0[c], m0);
    const PhiloxV p1 = PhiloxMultiply(x2[c], m1);
    hn::Store(hn::Xor3(hn::RotateRight<32>(p1), hn::And(x1[c], low), k0), d, out + c * lanes);
    hn::Store(hn::Xor3(hn::RotateRight<32>(p0), hn::And(x3[c], low), k1), d, out + kTileBlocks + c * lanes);
  }
}

// Calls body(words, tile) for each of the tiles [first, first + count).
template <class Body>
HWY_INLINE void ForEachTile(const Key& key, uint64_t first, uint64_t count, const Body& body) {
  const PhiloxTag d;
  const size_t lanes = hn::Lanes(d);
  const RoundKeys keys(key.seed);
  const uint64_t p1_1 = uint64_t{kPhiloxMultiplier1} * static_cast<uint32_t>(key.stream);
  const PhiloxV a2 = hn::Set(d, (key.stream >> 32) ^ keys.k1[0]);
  const PhiloxV a0 = hn::Set(d, uint64_t{static_cast<uint32_t>(p1_1)} ^ keys.k0[1]);
  TileWords words;
  uint64_t* HWY_RESTRICT out = reinterpret_cast<uint64_t*>(words.word);

  uint64_t tile = first;
  const uint64_t end = first + count;
  while (tile < end) {
    // Tiles that share the high half of their block numbers.
    const uint64_t block = tile * kTileBlocks;
    const uint64_t to_carry = ((uint64_t{1} << 32) - static_cast<uint32_t>(block)) / kTileBlocks;
    const uint64_t stop = end - tile < to_carry ? end : tile + to_carry;
    const uint64_t high_k0 = (block >> 32) ^ keys.k0[0];
    const uint64_t p0_2 = uint64_t{kPhiloxMultiplier0} * static_cast<uint32_t>((p1_1 >> 32) ^ high_k0);
    const PhiloxV b2 = hn::Set(d, (p0_2 >> 32) ^ keys.k1[1]);
    const PhiloxV x3_2 = hn::Set(d, p0_2);
    PhiloxV counter = hn::Iota(d, block);
    for (; tile < stop; ++tile) {
      for (size_t i = 0; i < kTileBlocks; i += kPhiloxChains * lanes) {
        PhiloxBlocks(keys, counter, a2, a0, b2, x3_2, out + i);
        counter = hn::Add(counter, hn::Set(d, kPhiloxChains * lanes));
      }
      body(words.word, tile);
    }
  }
}

#endif  // HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
