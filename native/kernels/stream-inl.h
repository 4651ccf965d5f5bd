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

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Writes consecutive tiles as whole lines of memory. Ordinary stores read each line before they change it, which
// doubles the traffic of a fill that is larger than the caches. A tile is a whole number of lines, but need not begin
// at one: with AVX-512 lines are put together from two vectors (memory that JavaScript allocates begins 16 bytes into a
// line).
class LineWriter {
 public:
  // For tiles that begin at `out`.
  explicit LineWriter(const void* out) : before_(reinterpret_cast<uintptr_t>(out) % kLine) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    const hn::FixedTag<uint32_t, 16> d;
    index_ = hn::Iota(d, 16 - static_cast<uint32_t>(before_ / 4)).raw;
#endif
  }

  bool Able() const {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    return before_ % 4 == 0;
#else
    return HWY_TARGET != HWY_SCALAR && before_ == 0;
#endif
  }

  // Writes the next tile; the last one's end too.
  template <size_t kBytes>
  HWY_INLINE void Write(const void* HWY_RESTRICT tile, void* HWY_RESTRICT out, HWY_MAYBE_UNUSED bool last) {
    static_assert(kBytes % kLine == 0, "whole lines");
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    if (before_ != 0) return WriteShifted<kBytes>(static_cast<const char*>(tile), static_cast<char*>(out), last);
#endif
    const hn::CappedTag<uint32_t, kLine / 4> d;
    const uint32_t* HWY_RESTRICT from = static_cast<const uint32_t*>(tile);
    uint32_t* HWY_RESTRICT to = static_cast<uint32_t*>(out);
    for (size_t i = 0; i < kBytes / 4; i += hn::Lanes(d)) hn::Stream(hn::Load(d, from + i), d, to + i);
  }

 private:
  static constexpr size_t kLine = 64;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  template <size_t kBytes>
  HWY_INLINE void WriteShifted(const char* HWY_RESTRICT tile, char* HWY_RESTRICT out, bool last) {
    char* line = out - before_;
    __m512i v = _mm512_load_si512(tile);
    if (begun_) {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(line), _mm512_permutex2var_epi32(carry_, index_, v));
    } else {
      std::memcpy(out, tile, kLine - before_);
      begun_ = true;
    }
    for (size_t i = kLine; i < kBytes; i += kLine) {
      const __m512i next = _mm512_load_si512(tile + i);
      _mm512_stream_si512(reinterpret_cast<__m512i*>(line + i), _mm512_permutex2var_epi32(v, index_, next));
      v = next;
    }
    carry_ = v;
    if (last) std::memcpy(out + kBytes - before_, tile + kBytes - before_, before_);
  }

  // The last vector of the tile before, and which lanes of it and of the next make a line.
  __m512i carry_ = _mm512_setzero_si512();
  __m512i index_;
  bool begun_ = false;
#endif

  size_t before_;  // bytes of a tile's first line that come before it
};

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#endif
