#ifndef NNINIT_LINALG_SPARSE_H_
#define NNINIT_LINALG_SPARSE_H_

#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Martens, "Deep learning via Hessian-free optimization", 2010. Writes rows·cols elements; throws std::bad_alloc
// without having written.
void RunSparse(const SparseFill& fill, const Key& key, const Range& range, int threads, const CancelFlag& cancel);

}  // namespace nninit

#endif  // NNINIT_LINALG_SPARSE_H_
