// The one place that makes kernels: what writes the ranges of an elementwise fill.
#ifndef NNINIT_FILL_KERNEL_H_
#define NNINIT_FILL_KERNEL_H_

#include <algorithm>

#include "kernels/constant.h"
#include "kernels/normal.h"
#include "kernels/tables.h"
#include "kernels/transformed.h"
#include "kernels/trunc_normal.h"
#include "kernels/uniform.h"
#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"
#include "types/rounding.h"

namespace nninit {

// Runs a kernel on stretches of a range, and looks at the flag before each. They are cut at multiples of `stretch`
// within the fill, so that no tile is made twice.
template <class Kernel>
void InStretches(size_t stretch, const Range& range, const CancelFlag& cancel, const Kernel& kernel) {
  for (size_t done = 0, count; done < range.count && !cancel.Requested(); done += count) {
    count = std::min(range.count - done, stretch - static_cast<size_t>((range.begin + done) % stretch));
    kernel(range.Part(done, count));
  }
}

// Elements that take some hundred nanoseconds each.
constexpr size_t kSlowStretch = 4096;

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
  const TruncNormalParams params = PrepareTruncNormal(fill, dtype);
  // One value of the dtype lies within the bounds.
  if (params.detour.low == params.detour.high) {
    return WithKernel(ConstantFill{params.detour.low}, key, dtype, cancel, use);
  }
  use([params, &key, &cancel](const Range& range) {
    InStretches(params.stretch, range, cancel, [&](const Range& part) { TruncNormalRange(params, key, part); });
  });
}

template <class Use>
void WithKernel(const DiagonalFill& fill, const Key& /*key*/, Dtype dtype, const CancelFlag& /*cancel*/,
                const Use& use) {
  use([&fill, bits = ConstantBits(fill.value, dtype)](const Range& range) { DiagonalRange(fill, bits, range); });
}

template <class Use>
void WithKernel(const LogOfUniformFill& fill, const Key& key, Dtype /*dtype*/, const CancelFlag& cancel,
                const Use& use) {
  use([function = LogOf(fill), &key, &cancel](const Range& range) {
    InStretches(kSlowStretch, range, cancel, [&](const Range& part) { TransformedRange(function, key, part); });
  });
}

template <class Use>
void WithKernel(const DtBiasFill& fill, const Key& key, Dtype /*dtype*/, const CancelFlag& cancel, const Use& use) {
  use([function = DtBiasOf(fill), &key, &cancel](const Range& range) {
    InStretches(kSlowStretch, range, cancel, [&](const Range& part) { TransformedRange(function, key, part); });
  });
}

template <class Use>
void WithKernel(const LogArangeFill& fill, const Key& /*key*/, Dtype /*dtype*/, const CancelFlag& cancel,
                const Use& use) {
  use([&](const Range& range) {
    InStretches(kSlowStretch, range, cancel, [&](const Range& part) { LogArangeRange(fill, part); });
  });
}

template <class Use>
void WithKernel(const SinusoidFill& fill, const Key& /*key*/, Dtype /*dtype*/, const CancelFlag& cancel,
                const Use& use) {
  use([&](const Range& range) {
    InStretches(kSlowStretch, range, cancel, [&](const Range& part) { SinusoidRange(fill, part); });
  });
}

}  // namespace nninit

#endif  // NNINIT_FILL_KERNEL_H_
