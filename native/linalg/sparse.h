#ifndef NNINIT_LINALG_SPARSE_H_
#define NNINIT_LINALG_SPARSE_H_

#include "system/cancel_flag.h"
#include "types/range.h"
#include "random/philox.h"

namespace nninit {

struct SparseParams {
  uint64_t rows;
  uint64_t cols;
  uint64_t zeros;  // in each column
  double std;
};

// N(0, std²) with `zeros` elements of each column, a uniformly random subset, set to zero. Martens, "Deep learning via
// Hessian-free optimization", 2010. Writes rows·cols elements; throws std::bad_alloc without having written.
void SparseFill(const SparseParams& params, const Key& key, void* data, Dtype dtype, int threads,
                const CancelFlag& cancel);

}  // namespace nninit

#endif  // NNINIT_LINALG_SPARSE_H_
