#include "torch/run.h"

#include <hwy/cache_control.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <optional>
#include <variant>

#include "kernels/normal_cdf.h"
#include "linalg/qr.h"
#include "system/float_environment.h"
#include "system/large_memory.h"
#include "system/threads.h"
#include "torch/kernels.h"
#include "torch/normals.h"
#include "torch/rejection.h"
#include "torch/sparse.h"
#include "torch/transformed.h"
#include "torch/word_reader.h"
#include "types/rounding.h"

namespace nninit {
namespace {

// Truncated normals keep lists of what is still outside the bounds: 32-bit numbers, and not too many of them.
constexpr uint64_t kMostSegment = uint64_t{1} << 24;
// Below this a thread would spend its time on getting to its words.
constexpr uint64_t kLeastSegment = uint64_t{1} << 17;

// What is drawn for a fill: the place of its words depends on no more. Of a matrix, the normals that it is made of.
using Draws = std::variant<TorchUniform, TorchNormals, TorchRejection>;

// PyTorch's choice between redrawn normals and rejection from a uniform distribution.
bool IsRejected(const TruncNormalFill& fill) {
  const auto cdf = [&](double x) { return NormalCdf((x - fill.mean) / fill.std); };
  return !(cdf(fill.b) - cdf(fill.a) > 0.3);
}

bool IsTruncated(const TorchFill& torch) { return std::holds_alternative<TruncNormalFill>(torch.fill); }

Draws DrawsOf(const TorchFill& torch) {
  const auto normals = [&](double mean, double std) {
    return TorchNormals{{mean, std, 0, 0}, torch.dtype, torch.total, false};
  };
  return std::visit(Overloaded{
                        [&](const UniformFill& fill) -> Draws { return PrepareTorchUniform(fill, torch.dtype); },
                        [&](const LogOfUniformFill& fill) -> Draws {
                          return PrepareTorchUniform({fill.a, fill.b}, torch.dtype);
                        },
                        [&](const DtBiasFill&) -> Draws {
                          return PrepareTorchUniform({0, 1}, DtBiasDtype(torch.dtype));
                        },
                        [&](const NormalFill& fill) -> Draws { return normals(fill.mean, fill.std); },
                        [&](const SparseFill& fill) -> Draws { return normals(0, fill.std); },
                        [&](const OrthogonalFill&) -> Draws { return normals(0, 1); },
                        [&](const TruncNormalFill& fill) -> Draws {
                          if (IsRejected(fill)) return TorchRejection{fill, torch.dtype, torch.total};
                          const double low = RoundNearest(fill.a, torch.dtype);
                          const double high = RoundNearest(fill.b, torch.dtype);
                          return TorchNormals{{fill.mean, fill.std, low, high}, torch.dtype, torch.total, true};
                        },
                    },
                    torch.fill);
}

// The normals of an orthogonal fill are a fill of their own: 16-bit dtypes, which PyTorch refuses, compute in float32.
TorchFill GaussianOf(const OrthogonalFill& fill, Dtype dtype) {
  return {NormalFill{0, 1}, dtype == Dtype::kFloat64 ? dtype : Dtype::kFloat32, fill.rows * fill.cols};
}

// Words of one draw of the whole fill.
uint64_t WordsOf(const TorchFill& torch, const Draws& draws) {
  if (std::holds_alternative<TorchNormals>(draws)) return LayOutNormals(torch.dtype, torch.total).words;
  return torch.total * TorchWords(torch.dtype) * (std::holds_alternative<TorchRejection>(draws) ? 2 : 1);
}

// Whether numbers are drawn that may be 0 where the fill takes logarithms: PyTorch's are −∞ there.
bool TakesLogOfZero(const TorchFill& torch) {
  if (const auto* log = std::get_if<LogOfUniformFill>(&torch.fill)) return !(RoundNearest(log->a, torch.dtype) > 0);
  const auto* bias = std::get_if<DtBiasFill>(&torch.fill);
  if (bias == nullptr) return false;
  const Dtype dtype = DtBiasDtype(torch.dtype);
  const auto vanishes = [&](double step) { return !(RoundNearest(step / 2, dtype) > 0); };  // rounding leads below it
  return !(RoundNearest(bias->floor, dtype) > 0) && (vanishes(bias->min) || vanishes(bias->max));
}

// The normals of a fill that is too short for blocks, or null.
const TorchNormals* ShortNormalsOf(const TorchFill& torch, const Draws& draws) {
  return torch.total < kTorchShort ? std::get_if<TorchNormals>(&draws) : nullptr;
}

void UniformSegment(const TorchFill& torch, const TorchUniform& params, const Range& range, const CancelFlag& cancel,
                    WordReader* words) {
  const size_t per = TorchWords(range.dtype);
  const size_t step = MtCursor::kMost / per;
  for (size_t i = 0; i < range.count && !cancel.Requested(); i += step) {
    const size_t count = std::min(step, range.count - i);
    TorchTransformedWords(torch.fill, params, words->At((range.begin + i) * per, count * per), range.Part(i, count));
  }
  if (range.writers > 0) hwy::FlushStream();
}

// Cuts the range into one segment a thread, each of which jumps to its place in the stream once.
uint64_t RunSegments(const TorchFill& torch, const Draws& draws, const TorchState& start, const Range& range,
                     int threads, const CancelFlag& cancel, MtState* end) {
  const bool truncated = IsTruncated(torch);
  uint64_t parts = std::clamp<uint64_t>(range.count / kLeastSegment, 1, static_cast<uint64_t>(std::max(threads, 1)));
  if (truncated) parts = std::max(parts, (range.count + kMostSegment - 1) / kMostSegment);
  const auto bound = [&](uint64_t part) {  // of elements, at a block's beginning
    if (part == parts) return range.begin + range.count;
    const auto at = static_cast<uint64_t>(static_cast<double>(range.count) * static_cast<double>(part) /
                                          static_cast<double>(parts));
    return part == 0 ? range.begin : (range.begin + at) / kTorchBlock * kTorchBlock;
  };
  std::atomic<uint64_t> rounds{0};
  std::atomic<bool> failed{false};
  ParallelFor(parts, threads, [&](size_t part) {
    const uint64_t begin = bound(part);
    const Range mine = range.Part(begin - range.begin, bound(part + 1) - begin);
    uint64_t drawn = 1;
    if (const auto* rejection = std::get_if<TorchRejection>(&draws)) {
      drawn = RejectionSegment(*rejection, mine, cancel, start.mt);
    } else {
      const auto* uniform = std::get_if<TorchUniform>(&draws);
      const uint64_t first = uniform != nullptr ? begin : begin / kTorchBlock * kTorchBlock;
      WordReader words(start.mt, first * TorchWords(torch.dtype));
      if (uniform != nullptr) {
        UniformSegment(torch, *uniform, mine, cancel, &words);
      } else {
        drawn = NormalSegment(std::get<TorchNormals>(draws), mine, cancel, &words);
      }
      if (end != nullptr && part + 1 == parts && !truncated) words.Save(end);
    }
    if (drawn == 0) failed = true;
    uint64_t most = rounds.load();
    while (most < drawn && !rounds.compare_exchange_weak(most, drawn)) {
    }
  });
  return failed || cancel.Requested() ? 0 : rounds.load();
}

uint64_t RunShort(const TorchNormals& normals, const Range& range, TorchState* state) {
  double values[kTorchShort];
  const uint64_t rounds = ShortNormals(normals, state, values);
  if (rounds == 0) return 0;
  const size_t bytes = DtypeBytes(range.dtype);
  for (size_t i = 0; i < range.count; ++i) {
    const uint64_t bits = StorageBits(values[range.begin + i], range.dtype);
    std::memcpy(static_cast<char*>(range.data) + i * bytes, &bits, bytes);
  }
  return rounds;
}

void SkipWords(uint64_t words, TorchState* state) {
  if (words == 0) return;
  MtCursor cursor(state->mt, words);
  cursor.Save(&state->mt);
  state->fresh = false;
}

}  // namespace

std::string CheckTorch(const TorchFill& torch, const Range& range) {
  const DefaultFloatEnvironment environment;
  if (range.begin + range.count > torch.total) return "expected begin plus the number of elements to be at most total";
  const bool whole =
      std::holds_alternative<OrthogonalFill>(torch.fill) || std::holds_alternative<SparseFill>(torch.fill);
  if (whole && range.count != torch.total) return "expected a whole-matrix fill to be whole";
  // Its randperm goes another way from here on.
  constexpr uint64_t kMostRows = UINT32_MAX / 20;
  const auto* sparse = std::get_if<SparseFill>(&torch.fill);
  if (sparse != nullptr && sparse->rows >= kMostRows)
    return "expected fewer than 214,748,364 rows, as PyTorch draws them";
  if (TakesLogOfZero(torch)) {
    return "expected a, or one of min and floor, to be above 0 also in the dtype that PyTorch draws in, as it takes "
           "the "
           "logarithm of what is drawn";
  }
  const auto* truncated = std::get_if<TruncNormalFill>(&torch.fill);
  if (truncated != nullptr && IsRejected(*truncated) && !(std::isfinite(truncated->a) && std::isfinite(truncated->b))) {
    return "expected finite bounds: no more than 30 % of the distribution lies within them, where PyTorch draws from a "
           "uniform distribution between the bounds";
  }
  return {};
}

uint64_t RunTorch(const TorchFill& torch, const TorchState& start, const Range& whole, int threads,
                  const CancelFlag& cancel, TorchState* end) {
  const DefaultFloatEnvironment environment;
  const Range range = Prepare(whole, threads);
  const auto* sparse = std::get_if<SparseFill>(&torch.fill);
  std::optional<TorchSparsifier> sparsifier;
  if (sparse != nullptr) sparsifier.emplace(*sparse, threads);
  TorchState after = start;
  uint64_t rounds = 1;
  if (const auto* orthogonal = std::get_if<OrthogonalFill>(&torch.fill)) {
    const TorchFill gaussian = GaussianOf(*orthogonal, torch.dtype);
    const auto make = [&](void* data) {
      return RunTorch(gaussian, start, {data, gaussian.dtype, 0, gaussian.total}, threads, cancel, &after) != 0;
    };
    if (!RunQr(*orthogonal, range, threads, cancel, make)) return 0;
  } else {
    const Draws draws = DrawsOf(torch);
    if (const auto* normals = ShortNormalsOf(torch, draws)) {
      rounds = RunShort(*normals, range, &after);
    } else {
      const bool goes_on = end != nullptr || sparse != nullptr;
      rounds = RunSegments(torch, draws, start, range, threads, cancel, goes_on ? &after.mt : nullptr);
      if (IsTruncated(torch)) {
        if (end != nullptr) SkipWords(WordsOf(torch, draws) * rounds, &after);
      } else if (torch.total > 0) {
        after.fresh = false;
      }
    }
    if (rounds == 0) return 0;
  }
  if (sparse != nullptr) {
    sparsifier->Run(after.mt, range, cancel);
    if (cancel.Requested()) return 0;
    SkipWords(TorchSparseWords(*sparse), &after);
  }
  if (cancel.Requested()) return 0;
  if (end != nullptr) *end = after;
  return rounds;
}

bool SkipTorch(const TorchFill& fill, uint64_t rounds, TorchState* state) {
  const DefaultFloatEnvironment environment;
  const auto* orthogonal = std::get_if<OrthogonalFill>(&fill.fill);
  const TorchFill torch = orthogonal != nullptr ? GaussianOf(*orthogonal, fill.dtype) : fill;
  const Draws draws = DrawsOf(torch);
  if (const auto* normals = ShortNormalsOf(torch, draws)) {
    double values[kTorchShort];
    if (ShortNormals(*normals, state, values) == 0) return false;
  } else {
    const uint64_t words = WordsOf(torch, draws);
    if (rounds > MostTorchRounds(words)) return false;
    SkipWords(words * rounds, state);
  }
  if (const auto* sparse = std::get_if<SparseFill>(&fill.fill)) SkipWords(TorchSparseWords(*sparse), state);
  return true;
}

}  // namespace nninit
