// Conditions on the SIMD target that a file is being compiled for, for #if and constants in per-target code.
#ifndef NNINIT_SYSTEM_SIMD_H_
#define NNINIT_SYSTEM_SIMD_H_

#include <hwy/detect_targets.h>

// The named instructions or better ones.
#define NNINIT_AVX2 (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2)
#define NNINIT_AVX512 (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)

// Targets of plain C++.
#define NNINIT_PLAIN_TARGET (HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128)

#define NNINIT_NEON (HWY_ARCH_ARM_A64 && !NNINIT_PLAIN_TARGET)

#endif  // NNINIT_SYSTEM_SIMD_H_
