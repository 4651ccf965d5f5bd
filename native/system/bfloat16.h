// Whether the processor converts to bfloat16 (AVX512_BF16), which some with AVX-512 do.
#ifndef NNINIT_SYSTEM_BFLOAT16_H_
#define NNINIT_SYSTEM_BFLOAT16_H_

#if defined(__x86_64__) && defined(__GNUC__)
#define NNINIT_BFLOAT16_ASM 1
#include <cpuid.h>
#else
#define NNINIT_BFLOAT16_ASM 0
#endif

namespace nninit {

#if NNINIT_BFLOAT16_ASM
inline bool HasBFloat16() {
  static const bool has = [] {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1) != 0;
  }();
  return has;
}
#endif

// Whether a number is so far from float32's subnormal ones (below 2^−126) that x·scale + offset, for such numbers and
// an x made of random words, is never one of them: where the terms cancel, 0 or a part of at least 2^−24 is left.
inline bool IsFarFromSubnormal(double x) { return x == 0 || x >= 0x1p-60 || x <= -0x1p-60; }

}  // namespace nninit

#endif  // NNINIT_SYSTEM_BFLOAT16_H_
