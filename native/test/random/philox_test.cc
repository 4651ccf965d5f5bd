#include "random/philox.h"

#include <doctest/doctest.h>

#include "random/philox_tiles.h"
#include "test/support.h"

namespace nninit {
namespace {

uint64_t Join(uint32_t low, uint32_t high) { return low | (uint64_t{high} << 32); }

TEST_CASE("Philox4x32-10 gives Random123's published vectors") {
  struct Known {
    uint32_t counter[4], key[2], output[4];
  };
  const Known known[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Known& k : known) {
    const Key key{Join(k.key[0], k.key[1]), Join(k.counter[2], k.counter[3])};
    const PhiloxBlock block = Philox(key, Join(k.counter[0], k.counter[1]));
    for (int i = 0; i < 4; ++i) CHECK(block.word[i] == k.output[i]);
  }
}

TEST_CASE("tiles hold words 0 and 1 of each block, then words 2 and 3, on every target") {
  const Key keys[] = {{0, 0}, {0x0123456789abcdef, 0xfedcba9876543210}, {~uint64_t{0}, ~uint64_t{0}}};
  // The last three starts cross a carry into the counter's high word, and reach the auxiliary blocks.
  const uint64_t tiles[] = {
      0, 1, 12345, (uint64_t{1} << 27) - 2, (uint64_t{1} << 27) - 1, kAuxiliaryBlocks / kTileBlocks};
  test::ForEachTarget([&](const std::string& target) {
    CAPTURE(target);
    for (const Key& key : keys) {
      for (const uint64_t tile : tiles) {
        const uint64_t count = tile % 2 == 0 ? 4 : 3;  // a pass may make more tiles than one
        alignas(64) uint32_t words[5 * kTileWords];
        words[count * kTileWords] = 0xA5A5A5A5u;
        PhiloxTiles(key, tile, count, words);
        CHECK(words[count * kTileWords] == 0xA5A5A5A5u);
        for (uint64_t t = 0; t < count; ++t) {
          for (uint64_t b = 0; b < kTileBlocks; ++b) {
            const PhiloxBlock block = Philox(key, (tile + t) * kTileBlocks + b);
            const uint32_t* at = words + t * kTileWords + 2 * b;
            REQUIRE(at[0] == block.word[0]);
            REQUIRE(at[1] == block.word[1]);
            REQUIRE(at[kTileWords / 2] == block.word[2]);
            REQUIRE(at[kTileWords / 2 + 1] == block.word[3]);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace nninit
