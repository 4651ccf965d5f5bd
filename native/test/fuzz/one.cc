#include "test/fuzz/one.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "fill/check.h"
#include "fill/run.h"
#include "fill/runs.h"
#include "torch/run.h"

namespace nninit {
namespace {

constexpr size_t kMostElements = 600;
constexpr unsigned char kGuard = 0xA5;
constexpr size_t kGuards = 64;

// Arguments from bytes; zeros where there are none left.
class Input {
 public:
  Input(const uint8_t* bytes, size_t size) : next_(bytes), end_(bytes + size) {}

  uint8_t Byte() { return next_ == end_ ? uint8_t{0} : *next_++; }

  uint64_t Below(uint64_t bound) { return Word(2) % bound; }

  // Small numbers mostly, and any others.
  uint64_t Whole() {
    const uint8_t choice = Byte();
    if (choice < 160) return choice;
    if (choice < 200) return Word(2);
    if (choice < 230) return Word(8) >> 11;
    constexpr uint64_t kEdges[] = {uint64_t{1} << 31, uint64_t{1} << 32, (uint64_t{1} << 53) - 1, uint64_t{1} << 53,
                                   UINT64_MAX};
    return kEdges[choice % 5] - choice / 5 % 2;
  }

  double Number() {
    const uint8_t choice = Byte();
    if (choice < 100) return (static_cast<double>(choice) - 50) / 8;
    constexpr double kEdges[] = {0.0,
                                 -0.0,
                                 1e-310,
                                 1e300,
                                 std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN(),
                                 std::numeric_limits<double>::max(),
                                 65504,
                                 3.4e38,
                                 1e-45};
    if (choice < 140) return choice % 2 == 0 ? kEdges[choice / 2 % 10] : -kEdges[choice / 2 % 10];
    const uint64_t bits = Word(8);
    double number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }

 private:
  uint64_t Word(int count) {
    uint64_t word = 0;
    for (int i = 0; i < count; ++i) word = word << 8 | Byte();
    return word;
  }

  const uint8_t* next_;
  const uint8_t* end_;
};

// Memory between guards, at any place.
class Memory {
 public:
  Memory(Dtype dtype, size_t count, size_t shift)
      : begin_(kGuards + shift * DtypeBytes(dtype)),
        size_(count * DtypeBytes(dtype)),
        bytes_(begin_ + size_ + kGuards, kGuard) {}

  void* data() { return bytes_.data() + begin_; }
  bool Equals(const Memory& other) const { return std::memcmp(At(), other.At(), size_) == 0; }
  bool GuardsHold() const {
    const auto holds = [](unsigned char byte) { return byte == kGuard; };
    return std::all_of(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), holds) &&
           std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_ + size_), bytes_.end(), holds);
  }

 private:
  const unsigned char* At() const { return bytes_.data() + begin_; }

  size_t begin_;
  size_t size_;
  std::vector<unsigned char> bytes_;
};

Fill NextFill(Input* input, size_t count) {
  const auto number = [&] { return input->Number(); };
  const auto whole = [&] { return input->Whole(); };
  switch (input->Below(7)) {
    case 0:
      return ConstantFill{number()};
    case 1:
      return UniformFill{number(), number()};
    case 2:
      return NormalFill{number(), number()};
    case 3:
      return TruncNormalFill{number(), number(), number(), number()};
    case 4:
      return DiagonalFill{number(), whole(), whole(), whole(), whole(), whole()};
    case 5: {
      const uint64_t rows = std::max<uint64_t>(1, input->Below(30));
      const uint64_t stride = std::max<uint64_t>(1, input->Below(4));
      return OrthogonalFill{rows, count / rows / stride, number(), stride, input->Below(4)};
    }
    default: {
      const uint64_t rows = std::max<uint64_t>(1, input->Below(30));
      return SparseFill{rows, count / rows, input->Below(32), number()};
    }
  }
}

// The elements of a whole-matrix fill are a multiple of its rows.
size_t CountOf(const Fill& fill, size_t count) {
  if (const auto* matrix = std::get_if<OrthogonalFill>(&fill)) return matrix->rows * matrix->cols * matrix->stride;
  if (const auto* matrix = std::get_if<SparseFill>(&fill)) return matrix->rows * matrix->cols;
  return count;
}

const char* FuzzFill(Input* input, Dtype dtype, int threads) {
  const Fill fill = NextFill(input, input->Below(kMostElements));
  const bool in_parts = As<ElementwiseFill>(fill).has_value();
  const size_t count = CountOf(fill, input->Below(kMostElements));
  const uint64_t begin = in_parts ? input->Whole() : 0;
  const Key key{input->Whole(), input->Whole()};
  Memory whole(dtype, count, 0);
  const Range range{whole.data(), dtype, begin, count};
  if (!CheckFill(fill, range).empty()) return nullptr;
  if (!RunFill(fill, key, range, threads)) return "it was cancelled";
  if (!whole.GuardsHold()) return "something beside the range was written";
  Memory again(dtype, count, input->Below(8));
  const Range other{again.data(), dtype, begin, count};
  const size_t cut = in_parts ? input->Below(count + 1) : 0;
  RunFill(fill, key, other.Part(0, cut), 1);
  RunFill(fill, key, other.Part(cut, count - cut), 1);
  if (!again.GuardsHold()) return "something beside the part was written";
  return again.Equals(whole) ? nullptr : "parts differ from the whole";
}

const char* FuzzRuns(Input* input, Dtype dtype, int threads) {
  const auto fill = As<ElementwiseFill>(NextFill(input, 0));
  if (!fill) return nullptr;
  Runs runs{input->Whole(), input->Whole(), static_cast<int>(input->Below(5)), {}, {}};
  for (int k = 0; k < std::min(runs.loops, kMaxLoops); ++k) {
    runs.count[k] = input->Whole();
    runs.stride[k] = input->Whole();
  }
  const size_t count = input->Below(kMostElements);
  const uint64_t begin = input->Whole();
  Memory part(dtype, count, 0);
  const Range range{part.data(), dtype, begin, count};
  const Fill checked = std::visit([](const auto& kind) { return Fill(kind); }, *fill);
  if (!CheckRuns(runs, range).empty() || !CheckFill(checked, {range.data, dtype, runs.offset, count}).empty()) {
    return nullptr;
  }
  if (!FillRuns(*fill, {1, 2}, runs, range, threads)) return "it was cancelled";
  if (!part.GuardsHold()) return "something beside the part was written";
  Memory alone(dtype, count, input->Below(8));
  const Range single{alone.data(), dtype, 0, count};
  for (size_t i = 0; i < count; ++i) {
    uint64_t run = (begin + i) / runs.length;
    uint64_t element = runs.offset + (begin + i) % runs.length;
    for (int k = runs.loops - 1; k >= 0; --k) {
      element += run % runs.count[k] * runs.stride[k];
      run /= runs.count[k];
    }
    RunFill(checked, {1, 2}, {single.Part(i, 1).data, dtype, element, 1}, 1);
  }
  return alone.Equals(part) ? nullptr : "runs differ from the elements one by one";
}

// Truncated normals of the engine torch are drawn up to 100,000 times: only of those that end soon.
bool EndsSoon(const RandomFill& fill) {
  const auto* truncated = std::get_if<TruncNormalFill>(&fill);
  return truncated == nullptr ||
         (truncated->a <= truncated->mean - truncated->std && truncated->b >= truncated->mean + truncated->std);
}

const char* FuzzTorch(Input* input, Dtype dtype, int threads) {
  const Fill fill = NextFill(input, input->Below(kMostElements));
  const auto random = As<RandomFill>(fill);
  if (!random || !EndsSoon(*random)) return nullptr;
  const size_t count = CountOf(fill, input->Below(kMostElements));
  const TorchFill torch{*random, dtype, count};
  TorchState start;
  SeedTorch(input->Whole(), &start);
  start.mt.used = static_cast<uint32_t>(1 + input->Below(kMtWords));  // 0 is the block before, used up
  start.fresh = start.mt.used == kMtWords;
  start.has_normal = input->Below(2) == 1;
  Memory whole(dtype, count, 0);
  const Range range{whole.data(), dtype, 0, count};
  if (!CheckFill(fill, range).empty() || !CheckTorch(torch, range).empty()) return nullptr;
  TorchState end = start;
  const uint64_t rounds = RunTorch(torch, start, range, threads, CancelFlag(), &end);
  if (!whole.GuardsHold()) return "something beside the range was written";
  if (rounds == 0) return nullptr;
  TorchState skipped = start;
  if (!SkipTorch(torch, rounds, &skipped)) return "a fill took more draws than it can";
  uint8_t one[kTorchStateBytes];
  uint8_t other[kTorchStateBytes];
  WriteTorchState(end, one);
  WriteTorchState(skipped, other);
  if (std::memcmp(one, other, sizeof one) != 0) return "passing over a fill leads elsewhere";
  return ReadTorchState(one, &skipped).empty() ? nullptr : "the state after a fill is none";
}

const char* FuzzState(Input* input) {
  uint8_t bytes[kTorchStateBytes];
  TorchState state;
  SeedTorch(input->Whole(), &state);
  WriteTorchState(state, bytes);
  for (uint64_t changes = input->Below(6); changes > 0; --changes) {
    const uint64_t at = input->Below(input->Below(2) == 0 ? 24 : kTorchStateBytes);
    bytes[at] = input->Byte();
  }
  if (!ReadTorchState(bytes, &state).empty()) return nullptr;
  float data[40];
  const TorchFill torch{NormalFill{0, 1}, Dtype::kFloat32, input->Below(41)};
  RunTorch(torch, state, {data, torch.dtype, 0, torch.total}, 1, CancelFlag(), &state);
  WriteTorchState(state, bytes);
  return ReadTorchState(bytes, &state).empty() ? nullptr : "the state after a fill is none";
}

}  // namespace

const char* FuzzOne(const uint8_t* bytes, size_t size) {
  Input input(bytes, size);
  const uint64_t what = input.Byte() % 4;
  const auto dtype = static_cast<Dtype>(input.Byte() % kDtypes);
  const int threads = 1 + input.Byte() % 2;
  if (what == 0) return FuzzFill(&input, dtype, threads);
  if (what == 1) return FuzzRuns(&input, dtype, threads);
  if (what == 2) return FuzzTorch(&input, dtype, threads);
  return FuzzState(&input);
}

}  // namespace nninit
