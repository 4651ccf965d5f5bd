// fillRuns: rectangular parts of fills.
#include "fill/runs.h"

#include "binding/arguments.h"
#include "fill/check.h"

namespace nninit {
namespace {

// offset, length, and the count and stride of each loop, outermost first.
Runs NextRuns(Arguments* arguments) {
  const TypedArray array = arguments->NextTypedArray("runs");
  constexpr size_t kMost = 2 + 2 * kMaxLoops;
  if (array.type != napi_float64_array || array.length < 2 || array.length % 2 != 0 || array.length > kMost) {
    throw TypeError("expected runs to be a Float64Array of offset, length and up to 8 pairs of count and stride");
  }
  uint64_t whole[kMost];
  for (size_t i = 0; i < array.length; ++i) {
    whole[i] = WholeNumber(static_cast<const double*>(array.data)[i], "runs to be whole numbers below 2^53");
  }
  Runs runs{whole[0], whole[1], static_cast<int>(array.length / 2 - 1), {}, {}};
  for (int k = 0; k < runs.loops; ++k) {
    runs.count[k] = whole[2 + 2 * k];
    runs.stride[k] = whole[3 + 2 * k];
  }
  return runs;
}

// fillRuns(data, dtype, kind, params, key, runs, begin, threads[, cancel]): true, or false if cancelled
Napi::Value FillPart(Arguments& arguments) {
  Range part = arguments.NextData();
  const Fill fill = arguments.NextFill();
  const Key key = arguments.NextKey();
  const Runs runs = NextRuns(&arguments);
  part.begin = arguments.NextWhole("begin", 0, kMaxIndex);
  const int threads = arguments.NextThreads();
  const CancelFlag cancel = arguments.NextCancelFlag();
  const auto elementwise = As<ElementwiseFill>(fill);
  if (!elementwise) throw RangeError("expected a fill of elements that do not depend on one another");
  ThrowRefusal(CheckRuns(runs, part));
  ThrowRefusal(CheckFill(fill, {part.data, part.dtype, runs.offset, part.count}));
  return arguments.Result(FillRuns(*elementwise, key, runs, part, threads, cancel));
}

constexpr Function kFunctions[] = {{"fillRuns", "native fillRuns", 8, FillPart}};

}  // namespace

void ExportRuns(Napi::Env env, Napi::Object exports) { Export(env, exports, kFunctions); }

}  // namespace nninit
