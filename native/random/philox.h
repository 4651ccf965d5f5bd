// The counter-based generator behind the stream, version 1 (docs/streams.md).
//
// Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
#ifndef NNINIT_RANDOM_PHILOX_H_
#define NNINIT_RANDOM_PHILOX_H_

#include <cstddef>
#include <cstdint>

namespace nninit {

// What a random fill depends on besides the index.
struct Key {
  uint64_t seed = 0;
  uint64_t stream = 0;
};

constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u;
constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9u;
constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85u;
constexpr int kPhiloxRounds = 10;

// The stream is cut into tiles of 32 consecutive blocks = 128 words of 32 bits. Within a tile, first come words 0 and 1
// of every block, then words 2 and 3: an order that vectors of any width can produce without shuffling.
constexpr size_t kTileBlocks = 32;
constexpr size_t kTileWords = 4 * kTileBlocks;

// Blocks from here on belong to draws that do not follow the index: choices of rows, rejected candidates.
constexpr uint64_t kAuxiliaryBlocks = uint64_t{1} << 63;

struct PhiloxBlock {
  uint32_t word[4];
};

// One block of the bijection: counter = (block, stream), key = seed.
inline PhiloxBlock Philox(const Key& key, uint64_t block) {
  uint32_t x0 = static_cast<uint32_t>(block);
  uint32_t x1 = static_cast<uint32_t>(block >> 32);
  uint32_t x2 = static_cast<uint32_t>(key.stream);
  uint32_t x3 = static_cast<uint32_t>(key.stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(key.seed);
  uint32_t k1 = static_cast<uint32_t>(key.seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxMultiplier0} * x0;
    const uint64_t p1 = uint64_t{kPhiloxMultiplier1} * x2;
    x0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0;
    x1 = static_cast<uint32_t>(p1);
    x2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x3 = static_cast<uint32_t>(p0);
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
  return {{x0, x1, x2, x3}};
}

}  // namespace nninit

#endif  // NNINIT_RANDOM_PHILOX_H_
