// Rectangular parts of a fill, without the rest of it.
#ifndef NNINIT_FILL_RUNS_H_
#define NNINIT_FILL_RUNS_H_

#include <cstdint>
#include <string>

#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

constexpr int kMaxLoops = 8;

// Runs of `length` consecutive elements of a fill: run (i0, i1, …) begins at element offset + Σ i_k·stride[k], and runs
// follow one another in the part, the last index fastest.
struct Runs {
  uint64_t offset;
  uint64_t length;
  int loops;
  // Outermost first.
  uint64_t count[kMaxLoops];
  uint64_t stride[kMaxLoops];
};

// Why elements [part.begin, part.begin + part.count) of these runs are refused, or an empty string if they are not;
// beside CheckFill.
std::string CheckRuns(const Runs& runs, const Range& part);

// The elements of the fill from the first of checked runs to the last one: what CheckFill has to know.
Range Covered(const Runs& runs, const Range& part);

// Writes elements [part.begin, part.begin + part.count) of the runs, checked, on up to `threads` threads; false if it
// was cancelled, which leaves the part half written. The bytes are those that the whole fill has there.
bool FillRuns(const ElementwiseFill& fill, const Key& key, const Runs& runs, const Range& part, int threads,
              const CancelFlag& cancel = CancelFlag());

}  // namespace nninit

#endif  // NNINIT_FILL_RUNS_H_
