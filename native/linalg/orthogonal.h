#ifndef NNINIT_LINALG_ORTHOGONAL_H_
#define NNINIT_LINALG_ORTHOGONAL_H_

#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Householder vectors made of independent normals give the Q of a Gaussian matrix's QR without factorizing one
// (Stewart, "The efficient generation of random orthogonal matrices", 1980). They are gathered into blocks I − V·T·Vᵀ
// (Schreiber and Van Loan, 1989) and applied to one panel of identity columns after another. Panels do not depend on
// each other, and the order of every sum is fixed, so threads and vector widths do not show in the result.
//
// float16 and bfloat16 are computed in float32. Throws std::bad_alloc without having written.
void RunOrthogonal(const OrthogonalFill& fill, const Key& key, const Range& range, int threads,
                   const CancelFlag& cancel);

}  // namespace nninit

#endif  // NNINIT_LINALG_ORTHOGONAL_H_
