// The functions of math-inl.h on arrays, and how far they are from the true values.
#ifndef NNINIT_TEST_ACCURACY_FUNCTIONS_H_
#define NNINIT_TEST_ACCURACY_FUNCTIONS_H_

#include <cstddef>

namespace nninit::test {

enum class Function { kMinus2Log, kSine, kCosine, kQuantile };

// On the SIMD target in use; `count` is a multiple of 16. There is no quantile of float64.
void Evaluate(Function function, const float* in, size_t count, float* out);
void Evaluate(Function function, const double* in, size_t count, double* out);

// In units of the last place of the true value. float32 is compared with float64, float64 with the x87's 64 bits.
double ErrorUlps(Function function, float in, float out);
double ErrorUlps(Function function, double in, double out);

// The largest error over all arguments that fills can have in float32, and over 2^28 of float64's; found by
// nninit_accuracy, which also wrote docs/accuracy.md.
struct Stated {
  const char* name;
  Function function;
  bool wide;
  double ulps;
  double at;           // where it is that large
  double first, last;  // the arguments
};

extern const Stated kStated[7];

}  // namespace nninit::test

#endif  // NNINIT_TEST_ACCURACY_FUNCTIONS_H_
