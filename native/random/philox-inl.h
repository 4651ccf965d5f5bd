// Tiles of Philox words for the kernels. Per-target code: include after hwy/highway.h, inside foreach_target.
#if defined(NNINIT_RANDOM_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_RANDOM_PHILOX_INL_H_
#undef NNINIT_RANDOM_PHILOX_INL_H_
#else
#define NNINIT_RANDOM_PHILOX_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "random/philox.h"
#include "system/simd.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

// As below.
template <size_t kVectors, class VU>
HWY_INLINE void PhiloxBlocks(const Key& key, VU (&w1)[kVectors], VU (&w2)[kVectors]) {
  const hn::CappedTag<uint64_t, 1> d;
  for (size_t v = 0; v < kVectors; ++v) {
    const PhiloxBlock block = Philox(key, hn::GetLane(w1[v]));
    w1[v] = hn::Set(d, block.word[0] | (uint64_t{block.word[1]} << 32));
    w2[v] = hn::Set(d, block.word[2] | (uint64_t{block.word[3]} << 32));
  }
}

// Calls body(words, tile) for each of the tiles [first, first + count).
template <class Body>
HWY_INLINE void ForEachTile(const Key& key, uint64_t first, uint64_t count, const Body& body) {
  uint32_t words[kTileWords];
  for (uint64_t tile = first; tile < first + count; ++tile) {
    for (size_t i = 0; i < kTileBlocks; ++i) {
      const PhiloxBlock block = Philox(key, tile * kTileBlocks + i);
      words[2 * i] = block.word[0];
      words[2 * i + 1] = block.word[1];
      words[kTileWords / 2 + 2 * i] = block.word[2];
      words[kTileWords / 2 + 2 * i + 1] = block.word[3];
    }
    body(words, tile);
  }
}

#else

// Each 32-bit word of the state sits in the low half of a 64-bit lane, one block a lane, because the multiplication
// that Philox needs reads exactly that half. High halves hold leftovers that nothing reads.
// Independent chains hide the latency of the multiplications; how many are worth their spills where registers are few
// is measured: eight beat four by 15 % with AVX-512; four beat eight by 10 % with SSE4, and with AVX2 where there is no
// more.
#if NNINIT_AVX512
constexpr size_t kPhiloxChains = 8;
#else
constexpr size_t kPhiloxChains = 4;
#endif
using PhiloxTag = hn::CappedTag<uint64_t, 8>;
using PhiloxV = hn::Vec<PhiloxTag>;

HWY_INLINE PhiloxV PhiloxMultiply(PhiloxV a, PhiloxV b) {
  const hn::Repartition<uint32_t, PhiloxTag> d32;
  return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b));
}

HWY_INLINE PhiloxV PhiloxHigh(PhiloxV product) { return hn::ShiftRight<32>(product); }
HWY_INLINE PhiloxV PhiloxLow(PhiloxV product) { return product; }

// The product's halves swapped, with x ^ k on what is now the low one.
HWY_INLINE PhiloxV PhiloxLast(PhiloxV product, PhiloxV x, PhiloxV k) {
  const PhiloxV swapped = hn::RotateRight<32>(product);
#if NNINIT_AVX512
  PhiloxV both = swapped;
  both.raw = _mm512_mask_ternarylogic_epi32(swapped.raw, 0x5555, x.raw, k.raw, 0x96);
  return both;
#else
  return hn::Xor3(swapped, hn::And(x, hn::Set(PhiloxTag(), uint64_t{0xFFFFFFFFu})), k);
#endif
}

// What a pass over consecutive blocks is made of.
#if NNINIT_NEON

// Four blocks in a vector for each word of the state. NEON multiplies two lanes at once and takes two products apart in
// an instruction: a round takes twelve for four blocks, where one block a lane takes ten for two.
using PassTag = hn::Full128<uint32_t>;
using PassV = hn::Vec<PassTag>;

struct PassProduct {
  uint64x2_t blocks01, blocks23;
};

HWY_INLINE PassProduct PhiloxMultiply(PassV a, PassV b) {
  return {vmull_u32(vget_low_u32(a.raw), vget_low_u32(b.raw)), vmull_high_u32(a.raw, b.raw)};
}

HWY_INLINE PassProduct PhiloxAdd(PassProduct a, PassProduct b) {
  return {vaddq_u64(a.blocks01, b.blocks01), vaddq_u64(a.blocks23, b.blocks23)};
}

HWY_INLINE PassV PhiloxHigh(PassProduct product) {
  return PassV(vuzp2q_u32(vreinterpretq_u32_u64(product.blocks01), vreinterpretq_u32_u64(product.blocks23)));
}

HWY_INLINE PassV PhiloxLow(PassProduct product) {
  return PassV(vuzp1q_u32(vreinterpretq_u32_u64(product.blocks01), vreinterpretq_u32_u64(product.blocks23)));
}

// The words that the last round makes of a product, in pairs.
HWY_INLINE void PhiloxStore(PassProduct product, PassV x, PassV k, uint32_t* HWY_RESTRICT out) {
  hn::StoreInterleaved2(hn::Xor3(PhiloxHigh(product), x, k), PhiloxLow(product), PassTag(), out);
}

HWY_INLINE PassProduct PhiloxStep() {
  const uint64x2_t step = vdupq_n_u64(uint64_t{kPhiloxMultiplier0} * 4);
  return {step, step};
}

#else

using PassTag = PhiloxTag;
using PassV = PhiloxV;
using PassProduct = PhiloxV;

HWY_INLINE PassProduct PhiloxAdd(PassProduct a, PassProduct b) { return hn::Add(a, b); }

HWY_INLINE void PhiloxStore(PassProduct product, PassV x, PassV k, uint32_t* HWY_RESTRICT out) {
  const hn::Repartition<uint32_t, PassTag> d32;
  hn::Store(hn::BitCast(d32, PhiloxLast(product, x, k)), d32, out);
}

HWY_INLINE PassProduct PhiloxStep() {
  return hn::Set(PassTag(), uint64_t{kPhiloxMultiplier0} * hn::MaxLanes(PassTag()));
}

#endif

// Of the lanes of a pass.
using PassWord = hn::TFromD<PassTag>;
constexpr size_t kChainBlocks = hn::MaxLanes(PassTag());
// A pass of all chains makes a part of a tile, one, or some.
constexpr size_t kPassBlocks = kPhiloxChains * kChainBlocks;
constexpr size_t kPassTiles = kPassBlocks > kTileBlocks ? kPassBlocks / kTileBlocks : 1;

struct RoundKeys {
  explicit RoundKeys(uint64_t seed) {
    uint32_t w0 = static_cast<uint32_t>(seed);
    uint32_t w1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      std::fill_n(k0[round], kCopies, w0);
      std::fill_n(k1[round], kCopies, w1);
      w0 += kPhiloxWeyl0;
      w1 += kPhiloxWeyl1;
    }
  }

  // AVX-512's instructions broadcast what they read from memory; others read whole vectors.
#if NNINIT_AVX512
  static constexpr size_t kCopies = 1;
  static HWY_INLINE PassV Get(const PassWord* HWY_RESTRICT k) { return hn::Set(PassTag(), k[0]); }
#else
  static constexpr size_t kCopies = kChainBlocks;
  static HWY_INLINE PassV Get(const PassWord* HWY_RESTRICT k) { return hn::Load(PassTag(), k); }
#endif

  HWY_ALIGN PassWord k0[kPhiloxRounds][kCopies];
  HWY_ALIGN PassWord k1[kPhiloxRounds][kCopies];
};

// Any blocks, whose numbers come in w1: words 0 and 1 of each go to its lane of w1, words 2 and 3 to that of w2.
template <size_t kVectors>
HWY_INLINE void PhiloxBlocks(const Key& key, PhiloxV (&w1)[kVectors], PhiloxV (&w2)[kVectors]) {
  const PhiloxTag d;
  const PhiloxV m0 = hn::Set(d, kPhiloxMultiplier0);
  const PhiloxV m1 = hn::Set(d, kPhiloxMultiplier1);
  uint32_t k0 = static_cast<uint32_t>(key.seed);
  uint32_t k1 = static_cast<uint32_t>(key.seed >> 32);
  PhiloxV x0[kVectors], x1[kVectors], x2[kVectors], x3[kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    x0[v] = w1[v];
    x1[v] = hn::ShiftRight<32>(w1[v]);
    x2[v] = hn::Set(d, key.stream);
    x3[v] = hn::Set(d, key.stream >> 32);
  }
  for (int round = 0; round < kPhiloxRounds - 1; ++round) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      const PhiloxV p0 = PhiloxMultiply(x0[v], m0);
      const PhiloxV p1 = PhiloxMultiply(x2[v], m1);
      x0[v] = hn::Xor3(PhiloxHigh(p1), x1[v], hn::Set(d, uint64_t{k0}));
      x2[v] = hn::Xor3(PhiloxHigh(p0), x3[v], hn::Set(d, uint64_t{k1}));
      x1[v] = PhiloxLow(p1);
      x3[v] = PhiloxLow(p0);
    }
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    w2[v] = PhiloxLast(PhiloxMultiply(x0[v], m0), x3[v], hn::Set(d, uint64_t{k1}));
    w1[v] = PhiloxLast(PhiloxMultiply(x2[v], m1), x1[v], hn::Set(d, uint64_t{k0}));
  }
}

// Where the words 0 and 1 of the chain's blocks go in a pass over whole tiles, or over a part of one.
constexpr size_t ChainOffset(size_t chain) {
  const size_t block = chain * kChainBlocks;
  return block / kTileBlocks * kTileWords + block % kTileBlocks * 2;
}

// One pass. `product` is that of the blocks' low words with the first multiplier, and moves on; the last four vectors
// are what the first two rounds make of the stream and the high half of the block number alone: x3 ^ k1 of round 1,
// then x1 ^ k0, hi(p0) ^ k1 and x3 of round 2.
HWY_INLINE void PhiloxPass(const RoundKeys& keys, PassProduct& product, PassV a2, PassV a0, PassV b2, PassV x3_2,
                           uint32_t* HWY_RESTRICT out) {
  const PassTag d;
  const PassV m0 = hn::Set(d, kPhiloxMultiplier0);
  const PassV m1 = hn::Set(d, kPhiloxMultiplier1);
  PassV x0[kPhiloxChains], x1[kPhiloxChains], x2[kPhiloxChains], x3[kPhiloxChains];
  HWY_UNROLL(8)
  for (size_t c = 0; c < kPhiloxChains; ++c) {
    const PassProduct p1_2 = PhiloxMultiply(hn::Xor(PhiloxHigh(product), a2), m1);
    x0[c] = hn::Xor(PhiloxHigh(p1_2), a0);
    x1[c] = PhiloxLow(p1_2);
    x2[c] = hn::Xor(b2, PhiloxLow(product));
    x3[c] = x3_2;
    product = PhiloxAdd(product, PhiloxStep());
  }
  HWY_UNROLL(8)
  for (int round = 2; round < kPhiloxRounds - 1; ++round) {
    const PassV k0 = RoundKeys::Get(keys.k0[round]);
    const PassV k1 = RoundKeys::Get(keys.k1[round]);
    HWY_UNROLL(8)
    for (size_t c = 0; c < kPhiloxChains; ++c) {
      const PassProduct p0 = PhiloxMultiply(x0[c], m0);
      const PassProduct p1 = PhiloxMultiply(x2[c], m1);
      x0[c] = hn::Xor3(PhiloxHigh(p1), x1[c], k0);
      x2[c] = hn::Xor3(PhiloxHigh(p0), x3[c], k1);
      x1[c] = PhiloxLow(p1);
      x3[c] = PhiloxLow(p0);
    }
  }
  const PassV k0 = RoundKeys::Get(keys.k0[kPhiloxRounds - 1]);
  const PassV k1 = RoundKeys::Get(keys.k1[kPhiloxRounds - 1]);
  HWY_UNROLL(8)
  for (size_t c = 0; c < kPhiloxChains; ++c) {
    const PassProduct p0 = PhiloxMultiply(x0[c], m0);
    const PassProduct p1 = PhiloxMultiply(x2[c], m1);
    PhiloxStore(p1, x1[c], k0, out + ChainOffset(c));
    PhiloxStore(p0, x3[c], k1, out + ChainOffset(c) + kTileWords / 2);
  }
}

// Calls body(words, tile) for each of the tiles [first, first + count).
template <class Body>
HWY_INLINE void ForEachTile(const Key& key, uint64_t first, uint64_t count, const Body& body) {
  const PassTag d;
  const auto set = [d](uint64_t word) HWY_ATTR { return hn::Set(d, static_cast<PassWord>(word)); };
  const RoundKeys keys(key.seed);
  const uint64_t p1_1 = uint64_t{kPhiloxMultiplier1} * static_cast<uint32_t>(key.stream);
  const PassV a2 = set((key.stream >> 32) ^ keys.k1[0][0]);
  const PassV a0 = set(uint64_t{static_cast<uint32_t>(p1_1)} ^ keys.k0[1][0]);
  HWY_ALIGN uint32_t words[kPassTiles * kTileWords];

  uint64_t tile = first;
  const uint64_t end = first + count;
  while (tile < end) {
    // Tiles that share the high half of their block numbers.
    const uint64_t block = tile * kTileBlocks;
    const uint64_t to_carry = ((uint64_t{1} << 32) - static_cast<uint32_t>(block)) / kTileBlocks;
    const uint64_t stop = end - tile < to_carry ? end : tile + to_carry;
    const uint64_t high_k0 = (block >> 32) ^ keys.k0[0][0];
    const uint64_t p0_2 = uint64_t{kPhiloxMultiplier0} * static_cast<uint32_t>((p1_1 >> 32) ^ high_k0);
    const PassV b2 = set((p0_2 >> 32) ^ keys.k1[1][0]);
    const PassV x3_2 = set(p0_2);
    PassProduct product = PhiloxMultiply(hn::Iota(d, static_cast<PassWord>(block)), set(kPhiloxMultiplier0));
    while (tile < stop) {
      for (size_t i = 0; i < kPassTiles * kTileBlocks; i += kPassBlocks) {
        PhiloxPass(keys, product, a2, a0, b2, x3_2, words + 2 * i);
      }
      // The last pass may make tiles that nobody asks for.
      const uint64_t pass = stop - tile < kPassTiles ? stop - tile : kPassTiles;
      for (size_t i = 0; i < pass; ++i) body(words + i * kTileWords, tile + i);
      tile += pass;
    }
  }
}

#endif  // HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
