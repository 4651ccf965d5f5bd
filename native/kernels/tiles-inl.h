// The loop that all random kernels share: whole tiles straight into the destination, the ends through a buffer.
#if defined(NNINIT_KERNELS_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_TILES_INL_H_
#undef NNINIT_KERNELS_TILES_INL_H_
#else
#define NNINIT_KERNELS_TILES_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/store-inl.h"
#include "kernels/stream-inl.h"
#include "random/philox-inl.h"
#include "types/range.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {

// The type that a pointer to elements points to.
template <class Pointer>
using ElementOf = std::remove_pointer_t<Pointer>;

// Elements in a tile: a word each, or two for float64.
template <class T>
constexpr size_t kTileElements = sizeof(T) == 8 ? kTileWords / 2 : kTileWords;

// Fetches the lines of the tile that is to be written some tiles from now: large fills would wait for them otherwise,
// since the compiler puts a tile's stores close together (0.32 instead of 0.38 ns a normal). Past the end it does
// nothing.
template <class T>
HWY_INLINE void PrefetchTile(const T* out) {
  constexpr uintptr_t kAhead = 1024;
  const uintptr_t first = reinterpret_cast<uintptr_t>(out) + kAhead;
  for (size_t line = 0; line < kTileElements<T> * sizeof(T); line += 64) {
    hwy::Prefetch(reinterpret_cast<const char*>(first + line));
  }
}

// Has the address of the next page looked up before streamed stores wait for it, by fetching a line of it: normals that
// go around the caches take 0.9 of the time, or 0.7 where others use the memory. Past the end it does nothing.
template <class T>
HWY_INLINE void TouchNextPage(const T* out) {
  constexpr uintptr_t kPage = 4096;
  const uintptr_t at = reinterpret_cast<uintptr_t>(out);
  if (at % kPage < kTileElements<T> * sizeof(T)) hwy::Prefetch(reinterpret_cast<const char*>(at + kPage));
}

// Calls body(made, first element's index, where to) for each tile that the range, at `out`, touches; body writes
// kTileElements<T> elements to out. `make(first, count, each)` calls each(made, tile) for tiles [first, first + count).
// kTouch: see TouchNextPage; kernels that are nearly as fast as memory lose by it where nobody else uses it.
template <bool kTouch = true, class T, class Make, class Body>
HWY_INLINE void ForTilesOf(T* out, const Range& range, const Make& make, const Body& body) {
  constexpr size_t kElements = kTileElements<T>;
  HWY_ALIGN T aside[kElements];
  if (range.count == 0) return;
  const uint64_t first = range.begin / kElements;
  const uint64_t last = (range.begin + range.count - 1) / kElements;
  size_t skip = static_cast<size_t>(range.begin % kElements);
  size_t left = range.count;
  StreamWriter writer(skip == 0 ? out : out + (kElements - skip));
  const bool stream = range.writers >= kLeastWriters && writer.Able();
  make(first, last - first + 1, [&](const auto* HWY_RESTRICT made, uint64_t tile) HWY_ATTR {
    const bool whole = HWY_LIKELY(skip == 0 && left >= kElements);
    const bool straight = whole && !stream;
    if (straight) PrefetchTile<T>(out);
    body(made, tile * kElements, straight ? out : aside);
    const size_t count = whole ? kElements : std::min(left, kElements - skip);
    left -= count;
    if (whole && stream) {
      if (kTouch) TouchNextPage<T>(out);
      writer.Write<kElements * sizeof(T)>(aside, out, left < kElements);
    } else if (!whole) {
      std::memcpy(out, aside + skip, count * sizeof(T));
      skip = 0;
    }
    out += count;
  });
  if (stream) hwy::FlushStream();
}

// The same, of the tiles' words.
template <bool kTouch = true, class T, class Body>
HWY_INLINE void ForTiles(T* out, const Key& key, const Range& range, const Body& body) {
  const auto make = [&](uint64_t first, uint64_t count, const auto& each)
                        HWY_ATTR { ForEachTile(key, first, count, each); };
  ForTilesOf<kTouch>(out, range, make, body);
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
