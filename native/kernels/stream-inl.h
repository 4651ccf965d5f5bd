// Tiles on their way around the caches. Per-target code.
#if defined(NNINIT_KERNELS_STREAM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NNINIT_KERNELS_STREAM_INL_H_
#undef NNINIT_KERNELS_STREAM_INL_H_
#else
#define NNINIT_KERNELS_STREAM_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "system/simd.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One thread alone gains nothing by streaming, and loses by it where others use the memory: its stores are then taken
// as slowly as the memory is, while ordinary ones wait in the caches. With AVX-512 two threads share what is the limit.
constexpr int kLeastWriters = NNINIT_AVX512 ? 2 : 3;

// Writes consecutive tiles by whole vectors that the caches do not keep. Ordinary stores read each line of memory
// before they change it, which doubles the traffic of a fill that is larger than the caches. Such stores must be
// aligned, and memory that JavaScript allocates begins 16 bytes into a line: there each is put together from two
// vectors.
class StreamWriter {
 public:
  // For tiles that begin at `out`.
  explicit StreamWriter(const void* out) : before_(reinterpret_cast<uintptr_t>(out) % kBytes) {
#if NNINIT_AVX512
    index_ = hn::Iota(Tag(), 16 - static_cast<uint32_t>(before_ / 4));
#endif
  }

  bool Able() const {
#if HWY_TARGET == HWY_SCALAR
    return false;
#elif NNINIT_AVX512
    return before_ % 4 == 0;
#elif NNINIT_AVX2
    return before_ % 16 == 0;
#else
    return before_ == 0;
#endif
  }

  // Writes the next tile; the last one's end too.
  template <size_t kTileBytes>
  HWY_INLINE void Write(const void* HWY_RESTRICT tile, void* HWY_RESTRICT out, bool last) {
    static_assert(kTileBytes % 64 == 0, "whole vectors");
    const Tag d;
    const uint32_t* HWY_RESTRICT from = static_cast<const uint32_t*>(tile);
    if (before_ == 0) {
      uint32_t* HWY_RESTRICT to = static_cast<uint32_t*>(out);
      for (size_t i = 0; i < kTileBytes / 4; i += hn::Lanes(d)) hn::Stream(hn::Load(d, from + i), d, to + i);
      return;
    }
    char* HWY_RESTRICT bytes = static_cast<char*>(out);
    uint32_t* HWY_RESTRICT to = reinterpret_cast<uint32_t*>(bytes - before_);
    Vector vector = hn::Load(d, from);
    if (begun_) {
      hn::Stream(Join(carry_, vector), d, to);
    } else {
      std::memcpy(bytes, tile, kBytes - before_);
      begun_ = true;
    }
    for (size_t i = hn::Lanes(d); i < kTileBytes / 4; i += hn::Lanes(d)) {
      const Vector next = hn::Load(d, from + i);
      hn::Stream(Join(vector, next), d, to + i);
      vector = next;
    }
    carry_ = vector;
    if (last) {
      const size_t written = kTileBytes - before_;
      std::memcpy(bytes + written, static_cast<const char*>(tile) + written, before_);
    }
  }

 private:
  using Tag = hn::CappedTag<uint32_t, 16>;
  using Vector = hn::Vec<Tag>;
  static constexpr size_t kBytes = 4 * hn::MaxLanes(Tag());

  // The last `before_` bytes of one vector and the first of the next.
  HWY_INLINE Vector Join(Vector vector, HWY_MAYBE_UNUSED Vector next) const {
#if NNINIT_AVX512
    return Vector{_mm512_permutex2var_epi32(vector.raw, index_.raw, next.raw)};
#elif NNINIT_AVX2
    return hn::ConcatLowerUpper(Tag(), next, vector);
#else
    return vector;
#endif
  }

  size_t before_;  // bytes of a tile's first vector that come before it
  bool begun_ = false;
  Vector carry_ = hn::Zero(Tag());  // the last vector of the tile before
#if NNINIT_AVX512
  Vector index_;  // which lanes of two vectors Join takes
#endif
};

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
