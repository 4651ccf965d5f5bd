// The orthogonal factor of a given matrix.
#ifndef NNINIT_LINALG_QR_H_
#define NNINIT_LINALG_QR_H_

#include <functional>

#include "linalg/orthogonal.h"

namespace nninit {

// Writes gain·Q·sign(diag R) of a rows × cols matrix's QR, or the transposed of it for its transposed where
// rows < cols: what torch.nn.init.orthogonal_ makes of a matrix of normals. `make` writes the matrix, row-major, in
// float64 for that dtype and in float32 for the others, and returns false if it was cancelled; so does RunQr.
//
// Householder's method in blocks (Schreiber and Van Loan, 1989). Every sum runs in one order on every target.
bool RunQr(const OrthogonalFill& fill, const Range& range, int threads, const CancelFlag& cancel,
           const std::function<bool(void*)>& make);

}  // namespace nninit

#endif  // NNINIT_LINALG_QR_H_
