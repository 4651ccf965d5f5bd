#ifndef NNINIT_SYSTEM_FLOAT_ENVIRONMENT_H_
#define NNINIT_SYSTEM_FLOAT_ENVIRONMENT_H_

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#elif !defined(__aarch64__)
#include <cfenv>
#endif

#include <cstdint>

namespace nninit {

// IEEE 754 as it comes (nearest even, subnormals as they are, no traps) on this thread for as long as the object lives.
// A library that sets flush-to-zero for its own sake leaves it on for everybody: values must not depend on that.
class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

#if defined(__SSE2__) || defined(_M_X64)
  DefaultFloatEnvironment() : before_(_mm_getcsr()) {
    // The low six bits say what has happened, and change nothing.
    if ((before_ & ~0x3FU) != kDefault) _mm_setcsr(kDefault);
  }
  ~DefaultFloatEnvironment() {
    if ((before_ & ~0x3FU) != kDefault) _mm_setcsr(before_);
  }

 private:
  static constexpr uint32_t kDefault = 0x1F80;
  uint32_t before_;
#elif defined(__aarch64__)
  DefaultFloatEnvironment() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    if (before_ != 0) asm volatile("msr fpcr, %0" : : "r"(uint64_t{0}) : "memory");
  }
  ~DefaultFloatEnvironment() {
    if (before_ != 0) asm volatile("msr fpcr, %0" : : "r"(before_) : "memory");
  }

 private:
  uint64_t before_;
#else
  DefaultFloatEnvironment() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&before_); }

 private:
  std::fenv_t before_;
#endif
};

}  // namespace nninit

#endif  // NNINIT_SYSTEM_FLOAT_ENVIRONMENT_H_
