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

// fillRuns(data, runs[, cancel]): true, or false if cancelled
Napi::Value FillPart(Arguments& arguments) {
  const Request request = arguments.ReadRequest();
  Range part = arguments.NextData(request.ReadDtype());
  const Runs runs = NextRuns(&arguments);
  const Fill fill = request.ReadFill();
  part.begin = request.ReadBegin();
  request.ReadWriters(&part);
  const int threads = request.ReadThreads();
  const CancelFlag cancel = arguments.NextCancelFlag();
  const auto elementwise = As<ElementwiseFill>(fill);
  if (!elementwise) throw RangeError("expected a fill of elements that do not depend on one another");
  ThrowRefusal(CheckRuns(runs, part));
  ThrowRefusal(CheckFill(fill, Covered(runs, part)));
  return arguments.Result(FillRuns(*elementwise, request.ReadKey(), runs, part, threads, cancel));
}

constexpr Function kFunctions[] = {{"fillRuns", "native fillRuns", 2, FillPart}};

}  // namespace

void ExportRuns(Napi::Env env, Napi::Object exports) { Export(env, exports, kFunctions); }

}  // namespace nninit
