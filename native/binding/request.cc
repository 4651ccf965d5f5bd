#include "binding/request.h"

#include <cmath>
#include <cstring>

#include "binding/arguments.h"
#include "system/large_memory.h"
#include "system/threads.h"
#include "types/compiler.h"

namespace nninit {
namespace {

// By the codes of lib/core/fill.ts.
enum class Kind : int {
  kConstant,
  kUniform,
  kNormal,
  kTruncNormal,
  kDiagonal,
  kOrthogonal,
  kSparse,
  kLogOfUniform,
  kDtBias,
  kLogArange,
  kSinusoid
};
constexpr int kKinds = 11;

}  // namespace

Request::Request(const void* memory) { std::memcpy(number_, memory, sizeof number_); }

uint64_t Request::Whole(Slot slot, const char* name, uint64_t least, uint64_t most) const {
  return WholeIn(number_[slot], name, least, most);
}

Dtype Request::ReadDtype() const { return static_cast<Dtype>(Whole(kDtypeSlot, "dtype", 0, kDtypes - 1)); }

Fill Request::ReadFill() const {
  const auto kind = static_cast<Kind>(Whole(kKindSlot, "kind", 0, kKinds - 1));
  const double* n = number_ + kNumbersSlot;
  switch (kind) {
    case Kind::kConstant:
      return ConstantFill{n[0]};
    case Kind::kUniform:
      return UniformFill{n[0], n[1]};
    case Kind::kNormal:
      return NormalFill{n[0], n[1]};
    case Kind::kTruncNormal:
      return TruncNormalFill{n[0], n[1], n[2], n[3]};
    case Kind::kDiagonal: {
      const auto whole = [](double x) {
        return WholeNumber(x, "offset, step, count, groups and group_stride to be whole numbers");
      };
      return DiagonalFill{n[0], whole(n[1]), whole(n[2]), whole(n[3]), whole(n[4]), whole(n[5])};
    }
    case Kind::kOrthogonal: {
      const auto whole = [](double x) { return WholeNumber(x, "rows, cols, stride and offset to be whole numbers"); };
      return OrthogonalFill{whole(n[0]), whole(n[1]), n[2], whole(n[3]), whole(n[4])};
    }
    case Kind::kSparse: {
      const auto whole = [](double x) { return WholeNumber(x, "rows, cols and zeros to be whole numbers"); };
      return SparseFill{whole(n[0]), whole(n[1]), whole(n[2]), n[3]};
    }
    case Kind::kLogOfUniform:
      return LogOfUniformFill{n[0], n[1]};
    case Kind::kDtBias:
      return DtBiasFill{n[0], n[1], n[2]};
    case Kind::kLogArange:
      return LogArangeFill{n[0], WholeNumber(n[1], "cols to be a whole number")};
    case Kind::kSinusoid: {
      const auto whole = [](double x) {
        return WholeNumber(x, "cols, denominator and interleaved to be whole numbers");
      };
      return SinusoidFill{whole(n[0]), n[1], whole(n[2]), whole(n[3]) != 0};
    }
  }
  Unreachable();
}

Key Request::ReadKey() const {
  uint64_t words[2];
  std::memcpy(words, number_ + kKeySlot, sizeof words);
  return {words[0], words[1]};
}

uint64_t Request::ReadBegin() const { return Whole(kBeginSlot, "begin", 0, kMaxIndex); }

int Request::ReadThreads() const {
  const auto threads = static_cast<int>(Whole(kThreadsSlot, "threads", 0, kMaxThreads));
  return threads == 0 ? GetNumThreads() : threads;
}

void Request::ReadWriters(Range* range) const {
  const uint64_t elements = Whole(kElementsSlot, "elements", 0, uint64_t{1} << 53);
  const auto writers = static_cast<int>(Whole(kWritersSlot, "writers", 0, kMaxThreads));
  if (writers > 0 && ExceedsCaches(elements, DtypeBytes(range->dtype))) range->writers = writers;
}

uint64_t Request::ReadTotal() const { return Whole(kTotalSlot, "total", 0, kMaxIndex); }

uint64_t Request::ReadRounds() const { return Whole(kRoundsSlot, "rounds", 0, kMaxIndex); }

}  // namespace nninit
