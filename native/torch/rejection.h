// trunc_normal_ of the torch engine where little of the normal distribution lies within the bounds.
#ifndef NNINIT_TORCH_REJECTION_H_
#define NNINIT_TORCH_REJECTION_H_

#include "system/cancel_flag.h"
#include "torch/word_reader.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Candidates from U(a, b), accepted where the logarithm of another uniform is at most the density's relative to its
// largest. Each round draws `total` candidates and then `total` uniforms.
struct TorchRejection {
  TruncNormalFill fill;
  Dtype dtype;
  uint64_t total;
};

// Returns the number of rounds; 0 if cancelled, or if values are still refused after MostTorchRounds.
uint64_t RejectionSegment(const TorchRejection& rejection, const Range& range, const CancelFlag& cancel,
                          const MtState& start);

}  // namespace nninit

#endif  // NNINIT_TORCH_REJECTION_H_
