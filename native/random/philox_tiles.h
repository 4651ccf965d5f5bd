#ifndef NNINIT_RANDOM_PHILOX_TILES_H_
#define NNINIT_RANDOM_PHILOX_TILES_H_

#include "random/philox.h"

namespace nninit {

// Writes tiles [tile, tile + tiles) of the raw stream, kTileWords words each, to 64-byte aligned memory.
void PhiloxTiles(const Key& key, uint64_t tile, uint64_t tiles, uint32_t* words);

}  // namespace nninit

#endif  // NNINIT_RANDOM_PHILOX_TILES_H_
