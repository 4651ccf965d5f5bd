#include "torch/transformed.h"

#include <algorithm>
#include <variant>

#include "kernels/elementary.h"
#include "kernels/store.h"
#include "random/mt19937.h"
#include "types/widen.h"

namespace nninit {
namespace {

double Value(double x) { return x; }
double Value(float x) { return static_cast<double>(x); }
double Value(Float16 x) { return static_cast<double>(WidenOne(x.bits, Dtype::kFloat16)); }
double Value(BFloat16 x) { return static_cast<double>(WidenOne(x.bits, Dtype::kBFloat16)); }

// Draws in the dtype, then stores function(each).
template <class Function>
void Transform(const TorchUniform& params, Dtype dtype, const uint32_t* words, const Range& range,
               const Function& function) {
  alignas(64) unsigned char drawn[MtCursor::kMost * sizeof(uint32_t)];
  TorchUniformWords(params, words, {drawn, dtype, range.begin, range.count});
  WithElements(dtype, drawn, [&](const auto* uniforms) {
    for (size_t i = 0; i < range.count; ++i) StoreOne(function(Value(uniforms[i])), range, i);
  });
}

// Each step is stored in T.
template <class T>
double DtBias(const DtBiasFill& fill, double u) {
  const auto stored = [](double x) { return static_cast<double>(static_cast<T>(x)); };
  const double scaled = stored(u * stored(Log(fill.max) - Log(fill.min)));
  const double dt = std::max(stored(Exp(stored(scaled + stored(Log(fill.min))))), stored(fill.floor));
  return dt + stored(Log(stored(OneMinusExpOfNegative(dt))));
}

}  // namespace

void TorchTransformedWords(const RandomFill& fill, const TorchUniform& params, const uint32_t* words,
                           const Range& range) {
  if (std::holds_alternative<LogOfUniformFill>(fill)) {
    Transform(params, range.dtype, words, range, Log);
  } else if (const auto* bias = std::get_if<DtBiasFill>(&fill)) {
    const Dtype dtype = DtBiasDtype(range.dtype);
    Transform(params, dtype, words, range,
              [&](double u) { return dtype == Dtype::kFloat64 ? DtBias<double>(*bias, u) : DtBias<float>(*bias, u); });
  } else {
    TorchUniformWords(params, words, range);
  }
}

}  // namespace nninit
