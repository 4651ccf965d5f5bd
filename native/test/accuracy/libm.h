// The functions of libm-inl.h on arrays, and the C library's.
#ifndef NNINIT_TEST_ACCURACY_LIBM_H_
#define NNINIT_TEST_ACCURACY_LIBM_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

namespace nninit::test {

enum class Libm { kLog, kLog1p, kSin, kCos };

// The next `count` of a sequence of arguments that uniforms of 53 bits lead to: half of the uniforms lie evenly in [0,
// 1), a quarter each in all binades next to 0 and next to 1.
class LibmArguments {
 public:
  explicit LibmArguments(Libm function) : function_(function), random_(1) {}
  void Next(size_t count, double* out);

 private:
  Libm function_;
  std::mt19937_64 random_;
  uint64_t number_ = 0;
};

// On the SIMD target in use; `count` is a multiple of 8.
void OurLibm(Libm function, const double* in, size_t count, double* out);

double SystemLibm(Libm function, double x);

// Zeros have signs here.
inline bool SameBits(double a, double b) {
  uint64_t bits[2];
  std::memcpy(&bits[0], &a, sizeof a);
  std::memcpy(&bits[1], &b, sizeof b);
  return bits[0] == bits[1];
}

}  // namespace nninit::test

#endif  // NNINIT_TEST_ACCURACY_LIBM_H_
