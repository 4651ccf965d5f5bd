#include "torch/rejection.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "torch/kernels.h"
#include "types/rounding.h"
#include "types/widen.h"

namespace nninit {
namespace {

// An element as a number.
double Value(double x) { return x; }
double Value(float x) { return static_cast<double>(x); }
double Value(Float16 x) { return static_cast<double>(WidenOne(x.bits, Dtype::kFloat16)); }
double Value(BFloat16 x) { return static_cast<double>(WidenOne(x.bits, Dtype::kBFloat16)); }

// The steps of PyTorch's code, each of which stores its result in the dtype.
class Density {
 public:
  Density(const TruncNormalFill& fill, Dtype dtype) : dtype_(dtype), mean_(Subtrahend(fill.mean)), std_(fill.std) {
    const double mode = std::max(fill.a, std::min(fill.mean, fill.b));
    const double z = (mode - fill.mean) / fill.std;
    peak_ = Subtrahend(-0.5 * (z * z));
  }

  // False where PyTorch refuses, because the dtype cannot hold the density's logarithm.
  bool Exists() const { return std::isfinite(peak_); }

  bool Accepts(double candidate, double log_uniform) const {
    if (dtype_ == Dtype::kFloat64) {
      const double z = (candidate - mean_) / std_;
      return !(log_uniform > z * z * -0.5 - peak_);
    }
    float x = static_cast<float>(candidate);
    x = Stored(x - static_cast<float>(mean_));
    x = Stored(x / static_cast<float>(std_));
    x = Stored(x * x);
    x = Stored(x * -0.5f);
    x = Stored(x - static_cast<float>(peak_));
    return !(Stored(static_cast<float>(log_uniform)) > x);
  }

 private:
  float Stored(float x) const {
    if (dtype_ == Dtype::kFloat32 || !std::isfinite(x)) return x;
    return static_cast<float>(RoundNearest(static_cast<double>(x), dtype_));
  }

  // What is subtracted from a tensor is rounded to its dtype first; what it is divided by is not.
  double Subtrahend(double x) const {
    return dtype_ == Dtype::kFloat64 ? x : static_cast<double>(Stored(static_cast<float>(x)));
  }

  Dtype dtype_;
  double mean_, std_, peak_;
};

}  // namespace

uint64_t RejectionSegment(const TorchRejection& rejection, const Range& range, const CancelFlag& cancel,
                          const MtState& start) {
  const Dtype dtype = rejection.dtype;
  const uint64_t per = TorchWords(dtype);
  const size_t bytes = DtypeBytes(dtype);
  const uint64_t draw = rejection.total * per;
  const TorchUniform from_a_to_b = PrepareTorchUniform({rejection.fill.a, rejection.fill.b}, dtype);
  const TorchUniform from_0_to_1 = PrepareTorchUniform({0, 1}, dtype);
  const Density density(rejection.fill, dtype);
  if (!density.Exists()) return 0;
  WordReader candidate_words(start, range.begin * per);
  WordReader uniform_words(start, draw + range.begin * per);
  constexpr size_t kStep = 1024;
  alignas(64) char candidates[kStep * sizeof(double)];
  alignas(64) char uniforms[kStep * sizeof(double)];
  double logs[kStep];
  uint32_t some_candidates[2 * kStep];
  uint32_t some_uniforms[2 * kStep];
  char* data = static_cast<char*>(range.data);
  std::vector<uint32_t> pending;

  // Makes as many candidates and uniforms, and hands out each candidate and whether it is accepted.
  const auto try_words = [&](const uint32_t* candidate_at, const uint32_t* uniform_at, size_t count, auto&& tried) {
    TorchUniformWords(from_a_to_b, candidate_at, {candidates, dtype, 0, count});
    TorchUniformWords(from_0_to_1, uniform_at, {uniforms, dtype, 0, count});
    WithElements(dtype, candidates, [&](const auto* candidate) {
      const auto* uniform = reinterpret_cast<decltype(candidate)>(uniforms);
      std::transform(uniform, uniform + count, logs, [](auto x) { return Value(x); });
      TorchLogarithms(logs, count);
      for (size_t k = 0; k < count; ++k) tried(k, candidate + k, density.Accepts(Value(candidate[k]), logs[k]));
    });
  };

  for (size_t i = 0; i < range.count && !cancel.Requested(); i += kStep) {
    const size_t count = std::min(kStep, range.count - i);
    const uint64_t word = (range.begin + i) * per;
    try_words(candidate_words.At(word, count * per), uniform_words.At(draw + word, count * per), count,
              [&](size_t k, const void* candidate, bool accepted) {
                std::memcpy(data + (i + k) * bytes, candidate, bytes);
                if (!accepted) pending.push_back(static_cast<uint32_t>(i + k));
              });
  }
  const uint64_t most = MostTorchRounds(2 * draw);
  uint64_t rounds = 1;
  // Where 200 elements or more are left, and of four million candidates or more at most one in 200,000 was accepted,
  // they do not all get theirs within 100,000 draws: of those that would, one in 10^28 looks like that.
  uint64_t tried = range.count;
  const auto hopeless = [&] {
    return pending.size() >= 200 && tried >= 4000000 && (range.count - pending.size()) * 200000 <= tried;
  };
  while (!pending.empty() && !cancel.Requested() && rounds < most && !hopeless()) {
    tried += pending.size();
    size_t left = 0;
    InStretches(pending.size(), kStep, cancel, [&](size_t begin, size_t end) {
      for (size_t n = begin; n < end; ++n) {
        const uint64_t word = 2 * rounds * draw + (range.begin + pending[n]) * per;
        std::memcpy(some_candidates + (n - begin) * per, candidate_words.At(word, per), per * sizeof(uint32_t));
        std::memcpy(some_uniforms + (n - begin) * per, uniform_words.At(draw + word, per), per * sizeof(uint32_t));
      }
      try_words(some_candidates, some_uniforms, end - begin, [&](size_t k, const void* candidate, bool accepted) {
        const uint32_t element = pending[begin + k];
        std::memcpy(data + element * bytes, candidate, bytes);
        if (!accepted) pending[left++] = element;
      });
    });
    pending.resize(left);
    ++rounds;
  }
  return cancel.Requested() || !pending.empty() ? 0 : rounds;
}

}  // namespace nninit
