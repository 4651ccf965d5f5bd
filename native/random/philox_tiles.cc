#include "random/philox_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "random/philox_tiles.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "random/philox-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

void Tiles(const Key& key, uint64_t tile, uint64_t tiles, uint32_t* words) {
  ForEachTile(key, tile, tiles, [&](const uint32_t* HWY_RESTRICT tile_words, uint64_t t) HWY_ATTR {
    std::memcpy(words + (t - tile) * kTileWords, tile_words, kTileWords * sizeof(uint32_t));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(Tiles);

void PhiloxTiles(const Key& key, uint64_t tile, uint64_t tiles, uint32_t* words) {
  HWY_DYNAMIC_DISPATCH(Tiles)(key, tile, tiles, words);
}

}  // namespace nninit
#endif
