// What compilers have different words for.
#ifndef NNINIT_TYPES_COMPILER_H_
#define NNINIT_TYPES_COMPILER_H_

#if defined(_MSC_VER) && !defined(__clang__)
#define NNINIT_ALWAYS_INLINE __forceinline
#else
#define NNINIT_ALWAYS_INLINE __attribute__((always_inline)) inline
#endif

namespace nninit {

// For the end of a function whose switch returns in every case.
[[noreturn]] inline void Unreachable() {
#if defined(_MSC_VER) && !defined(__clang__)
  __assume(false);
#else
  __builtin_unreachable();
#endif
}

}  // namespace nninit

#endif  // NNINIT_TYPES_COMPILER_H_
