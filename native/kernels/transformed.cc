#include "kernels/transformed.h"

#include "kernels/store.h"
#include "kernels/uniform.h"

namespace nninit {
namespace {

template <class Function>
void Transform(const Function& function, const Key& key, const Range& range) {
  constexpr size_t kStretch = 512;
  double uniforms[kStretch];
  const auto [a, b] = function.uniform;
  std::fill_n(uniforms, kStretch, a);
  const UniformParams params = a < b ? PrepareUniform(function.uniform, Dtype::kFloat64) : UniformParams{};
  for (size_t done = 0, count; done < range.count; done += count) {
    count = std::min(range.count - done, kStretch);
    if (a < b) UniformRange(params, key, {uniforms, Dtype::kFloat64, range.begin + done, count});
    for (size_t i = 0; i < count; ++i) StoreOne(function(uniforms[i]), range, done + i);
  }
}

}  // namespace

void TransformedRange(const LogOf& function, const Key& key, const Range& range) { Transform(function, key, range); }
void TransformedRange(const DtBiasOf& function, const Key& key, const Range& range) { Transform(function, key, range); }

}  // namespace nninit
