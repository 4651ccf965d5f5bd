#include "torch/run.h"

#include <hwy/cache_control.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

#include "types/rounding.h"
#include "linalg/qr.h"
#include "system/large_memory.h"
#include "kernels/normal_cdf.h"
#include "system/threads.h"
#include "torch/kernels.h"
#include "torch/normals.h"
#include "torch/rejection.h"
#include "torch/word_reader.h"
#include "torch/sparse.h"

namespace nninit {
namespace {

// Truncated normals keep lists of what is still outside the bounds: 32-bit numbers, and not too many of them.
constexpr uint64_t kMostSegment = uint64_t{1} << 24;
// Below this a thread would spend its time on getting to its words.
constexpr uint64_t kLeastSegment = uint64_t{1} << 17;

bool IsTruncated(const Fill& fill) { return fill.kind == Kind::kTruncNormal; }

// PyTorch's choice between redrawn normals and rejection from a uniform distribution.
bool IsRejection(const Fill& fill) {
  if (!IsTruncated(fill)) return false;
  const double* p = fill.param;
  return !(NormalCdf((p[3] - p[0]) / p[1]) - NormalCdf((p[2] - p[0]) / p[1]) > 0.3);
}

TorchNormals NormalsOf(const TorchFill& torch) {
  const double* p = torch.fill.param;
  TorchNormals normals{{p[0], p[1], 0, 0}, torch.dtype, torch.total, false};
  if (torch.fill.kind == Kind::kSparse) normals.params = {0, p[3], 0, 0};
  if (torch.fill.kind == Kind::kOrthogonal) normals.params = {0, 1, 0, 0};
  if (IsTruncated(torch.fill)) {
    normals.params.low = RoundNearest(p[2], torch.dtype);
    normals.params.high = RoundNearest(p[3], torch.dtype);
    normals.redraw = true;
  }
  return normals;
}

SparseParams SparseOf(const Fill& fill) {
  const double* p = fill.param;
  return {static_cast<uint64_t>(p[0]), static_cast<uint64_t>(p[1]), static_cast<uint64_t>(p[2]), p[3]};
}

OrthogonalParams OrthogonalOf(const Fill& fill) {
  const double* p = fill.param;
  return {static_cast<uint64_t>(p[0]), static_cast<uint64_t>(p[1]), p[2], static_cast<uint64_t>(p[3]),
          static_cast<uint64_t>(p[4])};
}

// A matrix of normals of its own: 16-bit dtypes, which PyTorch refuses, compute in float32.
TorchFill GaussianOf(const TorchFill& torch) {
  TorchFill gaussian = torch;
  const OrthogonalParams params = OrthogonalOf(torch.fill);
  gaussian.dtype = torch.dtype == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
  gaussian.total = params.rows * params.cols;
  gaussian.fill.kind = Kind::kNormal;
  gaussian.fill.param[0] = 0;
  gaussian.fill.param[1] = 1;
  return gaussian;
}

// Words of one draw of the whole fill.
uint64_t WordsOf(const TorchFill& torch) {
  const uint64_t per = TorchWords(torch.dtype);
  if (torch.fill.kind == Kind::kUniform) return torch.total * per;
  if (IsRejection(torch.fill)) return 2 * torch.total * per;
  return LayOutNormals(torch.dtype, torch.total).words;
}

bool IsShort(const TorchFill& torch) {
  return torch.total < kTorchShort && torch.fill.kind != Kind::kUniform && !IsRejection(torch.fill);
}

void UniformSegment(const TorchUniform& params, const Range& range, const CancelFlag& cancel, WordReader* words) {
  const size_t per = TorchWords(range.dtype);
  const size_t step = MtCursor::kMost / per;
  for (size_t i = 0; i < range.count && !cancel.Requested(); i += step) {
    const size_t count = std::min(step, range.count - i);
    TorchUniformWords(params, words->At((range.begin + i) * per, count * per), Part(range, i, count));
  }
  if (range.writers > 0) hwy::FlushStream();
}

// Cuts the range into one segment a thread, each of which jumps to its place in the stream once.
uint64_t RunSegments(const TorchFill& torch, const TorchState& stream, const Range& range, int threads,
                     const CancelFlag& cancel, MtState* end) {
  const bool truncated = IsTruncated(torch.fill);
  const bool rejection = IsRejection(torch.fill);
  uint64_t parts = std::clamp<uint64_t>(range.count / kLeastSegment, 1, static_cast<uint64_t>(std::max(threads, 1)));
  if (truncated) parts = std::max(parts, (range.count + kMostSegment - 1) / kMostSegment);
  const auto bound = [&](uint64_t part) {  // of elements, at a block's beginning
    if (part == parts) return range.begin + range.count;
    const auto at = static_cast<uint64_t>(static_cast<double>(range.count) * static_cast<double>(part) /
                                          static_cast<double>(parts));
    return part == 0 ? range.begin : (range.begin + at) / kTorchBlock * kTorchBlock;
  };
  const TorchNormals normals = NormalsOf(torch);
  const TorchUniform uniform = PrepareTorchUniform(torch.fill.param[0], torch.fill.param[1], torch.dtype);
  std::atomic<uint64_t> rounds{0};
  std::atomic<bool> failed{false};
  ParallelFor(parts, threads, [&](size_t part) {
    const uint64_t begin = bound(part);
    const Range mine = Part(range, begin - range.begin, bound(part + 1) - begin);
    uint64_t drawn = 1;
    if (rejection) {
      const double* p = torch.fill.param;
      drawn = RejectionSegment({p[0], p[1], p[2], p[3], torch.dtype, torch.total}, mine, cancel, stream.mt);
    } else {
      const uint64_t block = torch.fill.kind == Kind::kUniform ? begin : begin / kTorchBlock * kTorchBlock;
      WordReader words(stream.mt, block * TorchWords(torch.dtype));
      if (torch.fill.kind == Kind::kUniform) {
        UniformSegment(uniform, mine, cancel, &words);
      } else {
        drawn = NormalSegment(normals, mine, cancel, &words);
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

uint64_t RunShort(const TorchFill& torch, const Range& range, TorchState* stream) {
  double values[kTorchShort];
  const uint64_t rounds = ShortNormals(NormalsOf(torch), stream, values);
  if (rounds == 0) return 0;
  const size_t bytes = DtypeBytes(range.dtype);
  for (size_t i = 0; i < range.count; ++i) {
    const uint64_t bits = StorageBits(values[range.begin + i], range.dtype);
    std::memcpy(static_cast<char*>(range.data) + i * bytes, &bits, bytes);
  }
  return rounds;
}

void SkipWords(uint64_t words, TorchState* stream) {
  if (words == 0) return;
  MtCursor cursor(stream->mt, words);
  cursor.Save(&stream->mt);
  stream->fresh = false;
}

}  // namespace

std::string CheckTorch(const TorchFill& torch, const Range& range) {
  if (range.begin + range.count > torch.total) return "expected begin plus the number of elements to be at most total";
  const bool whole = torch.fill.kind == Kind::kOrthogonal || torch.fill.kind == Kind::kSparse;
  if (whole && range.count != torch.total) return "expected a whole-matrix fill to be whole";
  if (torch.fill.kind == Kind::kConstant || torch.fill.kind == Kind::kDiagonal) return "expected a random fill";
  return {};
}

uint64_t RunTorch(const TorchFill& torch, const TorchState& stream, const Range& whole, int threads,
                  const CancelFlag& cancel, TorchState* end) {
  Range range = whole;
  if (ExceedsCaches(range.count, DtypeBytes(range.dtype))) range.writers = std::max(range.writers, threads);
  AskForHugePages(range.data, range.count * DtypeBytes(range.dtype));
  TorchState after = stream;
  uint64_t rounds = 1;
  if (torch.fill.kind == Kind::kOrthogonal) {
    const TorchFill gaussian = GaussianOf(torch);
    const bool fits =
        QrFill(OrthogonalOf(torch.fill), range.data, range.count, range.dtype, threads, cancel, [&](void* data) {
          return RunTorch(gaussian, stream, {data, gaussian.dtype, 0, gaussian.total}, threads, cancel, &after) != 0;
        });
    if (!fits) return 0;
  } else if (IsShort(torch)) {
    rounds = RunShort(torch, range, &after);
    if (rounds == 0) return 0;
  } else {
    const bool goes_on = end != nullptr || torch.fill.kind == Kind::kSparse;
    rounds = RunSegments(torch, stream, range, threads, cancel, goes_on ? &after.mt : nullptr);
    if (rounds == 0) return 0;
    if (IsTruncated(torch.fill)) {
      if (end != nullptr) SkipWords(WordsOf(torch) * rounds, &after);
    } else if (torch.total > 0) {
      after.fresh = false;
    }
  }
  if (torch.fill.kind == Kind::kSparse) {
    const SparseParams params = SparseOf(torch.fill);
    TorchSparsify(params, after.mt, 0, range.data, range.dtype, threads, cancel);
    SkipWords(TorchSparseWords(params), &after);
  }
  if (cancel.Requested()) return 0;
  if (end != nullptr) *end = after;
  return rounds;
}

bool SkipTorch(const TorchFill& fill, uint64_t rounds, TorchState* stream) {
  const TorchFill torch = fill.fill.kind == Kind::kOrthogonal ? GaussianOf(fill) : fill;
  if (IsShort(torch)) {
    double values[kTorchShort];
    if (ShortNormals(NormalsOf(torch), stream, values) == 0) return false;
  } else {
    if (rounds > MostTorchRounds(WordsOf(torch))) return false;
    SkipWords(WordsOf(torch) * rounds, stream);
  }
  if (torch.fill.kind == Kind::kSparse) SkipWords(TorchSparseWords(SparseOf(torch.fill)), stream);
  return true;
}

}  // namespace nninit
