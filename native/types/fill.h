// A fill, checked and run: the native side's whole face.
#ifndef NNINIT_TYPES_FILL_H_
#define NNINIT_TYPES_FILL_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "system/cancel_flag.h"
#include "types/range.h"
#include "random/philox.h"

namespace nninit {

// In the order of kind_codes in lib/native.ts.
enum class Kind : int { kConstant, kUniform, kNormal, kTruncNormal, kDiagonal, kOrthogonal, kSparse };
constexpr int kKinds = 7;
constexpr int kMaxParams = 6;

struct Fill {
  Kind kind;
  // constant: value. uniform: a, b. normal: mean, std. trunc_normal: mean, std, a, b. diagonal: value, offset, step,
  // count, groups, group_stride. orthogonal: rows, cols, gain, stride, offset. sparse: rows, cols, zeros, std.
  double param[kMaxParams];
};

// Why a fill of this range is refused, or an empty string if it is not. Nothing passes that could write outside the
// range.
std::string CheckFill(const Fill& fill, const Range& range);

// Runs a checked fill on up to `threads` threads; false if it was cancelled, which leaves the range partly written.
// Throws std::bad_alloc (before anything is written) if a whole-matrix fill finds no memory to work in.
bool RunFill(const Fill& fill, const Key& key, const Range& range, int threads,
             const CancelFlag& cancel = CancelFlag());

}  // namespace nninit

#endif  // NNINIT_TYPES_FILL_H_
