// Functions of uniform numbers, step by step as models' code has them.
#ifndef NNINIT_TORCH_TRANSFORMED_H_
#define NNINIT_TORCH_TRANSFORMED_H_

#include <cstdint>

#include "torch/kernels.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Mamba's code draws them in float32 for 16-bit models too.
inline Dtype DtBiasDtype(Dtype dtype) { return dtype == Dtype::kFloat64 ? dtype : Dtype::kFloat32; }

// TorchUniformWords, and what the fill makes of its uniform numbers: nothing, for uniform ones. At most MtCursor::kMost
// words.
void TorchTransformedWords(const RandomFill& fill, const TorchUniform& params, const uint32_t* words,
                           const Range& range);

}  // namespace nninit

#endif  // NNINIT_TORCH_TRANSFORMED_H_
