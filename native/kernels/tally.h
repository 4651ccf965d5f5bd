#ifndef NNINIT_KERNELS_TALLY_H_
#define NNINIT_KERNELS_TALLY_H_

#include <cstddef>

#include "types/dtype.h"

namespace nninit {

// Bins between the outermost of them, which take all beyond.
constexpr size_t kTallyBins = 64;

// What elements come to, one number after another as JavaScript reads them. Counts are whole, up to 2^53.
struct Tally {
  double count;  // finite ones, zeros among them unless they are left out
  double sum;    // of x - shift, and its square
  double square;
  double min;
  double max;
  double nan;
  double infinite;
  double zeros;
  double bins[kTallyBins];
};

// How elements are looked at.
struct TallyRange {
  double shift;
  // Bin 0 is below low, and there are `scale` bins to a unit.
  double low;
  double scale;
  // Zeros are counted as such and as nothing else.
  bool leave_zeros;
};

// Adds elements to a tally, each once read. The same bits on every target: sums are of eight lanes each.
void AddToTally(const void* elements, size_t count, Dtype dtype, const TallyRange& range, Tally* tally);

}  // namespace nninit

#endif  // NNINIT_KERNELS_TALLY_H_
