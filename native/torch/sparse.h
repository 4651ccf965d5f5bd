// sparse_ and orthogonal_ of the torch engine.
#ifndef NNINIT_TORCH_SPARSE_H_
#define NNINIT_TORCH_SPARSE_H_

#include "system/cancel_flag.h"
#include "types/range.h"
#include "linalg/orthogonal.h"
#include "linalg/sparse.h"
#include "random/mt19937.h"

namespace nninit {

// Sets randomly chosen elements of a filled rows × cols matrix to zero: the first `zeros` of a permutation of the rows
// for each column, by Fisher and Yates, from word `word` of the stream on.
void TorchSparsify(const SparseParams& params, const MtState& start, uint64_t word, void* data, Dtype dtype,
                   int threads, const CancelFlag& cancel);

// Words for the permutations.
uint64_t TorchSparseWords(const SparseParams& params);

}  // namespace nninit

#endif  // NNINIT_TORCH_SPARSE_H_
