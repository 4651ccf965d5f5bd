// sparse_ of the torch engine.
#ifndef NNINIT_TORCH_SPARSE_H_
#define NNINIT_TORCH_SPARSE_H_

#include "random/mt19937.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Sets randomly chosen elements of a filled rows × cols matrix to zero: the first `zeros` of a permutation of the rows
// for each column, by Fisher and Yates, from `start` on.
void TorchSparsify(const SparseFill& fill, const MtState& start, const Range& range, int threads,
                   const CancelFlag& cancel);

// Words for the permutations.
uint64_t TorchSparseWords(const SparseFill& fill);

}  // namespace nninit

#endif  // NNINIT_TORCH_SPARSE_H_
