// sparse_ of the torch engine.
#ifndef NNINIT_TORCH_SPARSE_H_
#define NNINIT_TORCH_SPARSE_H_

#include <memory>
#include <vector>

#include "random/mt19937.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Sets randomly chosen elements of a filled rows × cols matrix to zero: the first `zeros` of a permutation of the rows
// for each column, by Fisher and Yates. The permutations' memory is taken when this is made, so before anything is
// written.
class TorchSparsifier {
 public:
  TorchSparsifier(const SparseFill& fill, int threads);

  // Draws from `start` on.
  void Run(const MtState& start, const Range& range, const CancelFlag& cancel) const;

 private:
  SparseFill fill_;
  std::vector<std::unique_ptr<uint32_t[]>> rows_;  // one for each thread
};

// Words for the permutations.
uint64_t TorchSparseWords(const SparseFill& fill);

}  // namespace nninit

#endif  // NNINIT_TORCH_SPARSE_H_
