// A fill of the default engine, run.
#ifndef NNINIT_FILL_RUN_H_
#define NNINIT_FILL_RUN_H_

#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Runs a checked fill on up to `threads` threads; false if it was cancelled, which leaves the range partly written.
// Throws std::bad_alloc (before anything is written) if a whole-matrix fill finds no memory to work in.
bool RunFill(const Fill& fill, const Key& key, const Range& range, int threads,
             const CancelFlag& cancel = CancelFlag());

}  // namespace nninit

#endif  // NNINIT_FILL_RUN_H_
