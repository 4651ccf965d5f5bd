// The one place that makes kernels: what writes the ranges of an elementwise fill.
#ifndef NNINIT_FILL_KERNEL_H_
#define NNINIT_FILL_KERNEL_H_

#include <algorithm>

#include "kernels/constant.h"
#include "kernels/normal.h"
#include "kernels/trunc_normal.h"
#include "kernels/uniform.h"
#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"
#include "types/rounding.h"

namespace nninit {

// Calls use(kernel), where kernel(range) writes a range of the fill, and what all ranges share is prepared. Kernels
// that may take long over a range stop within it when the flag is set.
template <class Use>
void WithKernel(const ConstantFill& fill, const Key& /*key*/, Dtype dtype, const CancelFlag& /*cancel*/,
                const Use& use) {
  use([bits = ConstantBits(fill.value, dtype)](const Range& range) { ConstantRange(bits, range); });
}

template <class Use>
void WithKernel(const UniformFill& fill, const Key& key, Dtype dtype, const CancelFlag& cancel, const Use& use) {
  if (fill.a == fill.b) return WithKernel(ConstantFill{fill.a}, key, dtype, cancel, use);
  use([params = PrepareUniform(fill, dtype), &key](const Range& range) { UniformRange(params, key, range); });
}

template <class Use>
void WithKernel(const NormalFill& fill, const Key& key, Dtype /*dtype*/, const CancelFlag& /*cancel*/, const Use& use) {
  use([&](const Range& range) { NormalRange(fill, key, range); });
}

template <class Use>
void WithKernel(const TruncNormalFill& fill, const Key& key, Dtype dtype, const CancelFlag& cancel, const Use& use) {
  use([params = PrepareTruncNormal(fill, dtype), &key, &cancel](const Range& range) {
    for (size_t done = 0, count; done < range.count && !cancel.Requested(); done += count) {
      // Cut between tiles, so that none is made twice.
      count = std::min(range.count - done, params.stretch - static_cast<size_t>((range.begin + done) % params.stretch));
      TruncNormalRange(params, key, range.Part(done, count));
    }
  });
}

template <class Use>
void WithKernel(const DiagonalFill& fill, const Key& /*key*/, Dtype dtype, const CancelFlag& /*cancel*/,
                const Use& use) {
  use([&fill, bits = ConstantBits(fill.value, dtype)](const Range& range) { DiagonalRange(fill, bits, range); });
}

}  // namespace nninit

#endif  // NNINIT_FILL_KERNEL_H_
