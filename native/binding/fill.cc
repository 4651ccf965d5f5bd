// fill, widen, tally and prepare.
#include <cmath>

#include "binding/arguments.h"
#include "fill/check.h"
#include "fill/run.h"
#include "kernels/tally.h"
#include "kernels/widen.h"
#include "system/float_environment.h"
#include "system/large_memory.h"

namespace nninit {
namespace {

// request(array): the memory of what the other functions are asked in numbers, which comes back, or the one that is in
// use already
Napi::Value ShareRequest(Arguments& arguments) { return arguments.ShareRequest(); }

// fill(data[, cancel]): true, or false if cancelled
Napi::Value FillRange(Arguments& arguments) {
  const Request request = arguments.ReadRequest();
  Range range = arguments.NextData(request.ReadDtype());
  const Fill fill = request.ReadFill();
  range.begin = request.ReadBegin();
  request.ReadWriters(&range);
  const int threads = request.ReadThreads();
  const CancelFlag cancel = arguments.NextCancelFlag();
  ThrowRefusal(CheckFill(fill, range));
  return arguments.Result(RunFill(fill, request.ReadKey(), range, threads, cancel));
}

// widen(data, dtype, out): float16 or bfloat16 to float32
Napi::Value WidenData(Arguments& arguments) {
  const TypedArray array = arguments.NextTypedArray("data");
  const auto dtype = static_cast<Dtype>(arguments.NextWhole("dtype", 0, kDtypes - 1));
  if (DtypeBytes(dtype) != 2) throw TypeError("expected a 16-bit dtype");
  const Range data = Arguments::RangeOf(array, dtype);
  void* out = arguments.NextArray(napi_float32_array, data.count, "out to be a Float32Array of the same length");
  Widen(static_cast<const uint16_t*>(data.data), data.count, data.dtype, static_cast<float*>(out));
  return Arguments::Result();
}

// tally(data, dtype, range, out): adds elements to a tally; range is shift, low, scale, and 1 where zeros are left out
Napi::Value TallyData(Arguments& arguments) {
  const TypedArray array = arguments.NextTypedArray("data");
  const auto dtype = static_cast<Dtype>(arguments.NextWhole("dtype", 0, kDtypes - 1));
  const Range data = Arguments::RangeOf(array, dtype);
  const auto* n = static_cast<const double*>(
      arguments.NextArray(napi_float64_array, 4, "range to be a Float64Array of 4 elements"));
  const TallyRange range{n[0], n[1], n[2], n[3] != 0};
  if (!std::isfinite(range.shift) || !std::isfinite(range.low) || !(range.scale > 0 && std::isfinite(range.scale))) {
    throw RangeError("expected finite numbers of a range, and a scale > 0");
  }
  constexpr size_t kNumbers = sizeof(Tally) / sizeof(double);
  void* out = arguments.NextArray(napi_float64_array, kNumbers, "out to be a Float64Array of 72 elements");
  const DefaultFloatEnvironment environment;
  AddToTally(data.data, data.count, dtype, range, static_cast<Tally*>(out));
  return Arguments::Result();
}

// prepare(data): huge pages for memory that several threads will fill in pieces
Napi::Value PrepareData(Arguments& arguments) {
  const TypedArray data = arguments.NextTypedArray("data");
  if (data.type != napi_uint8_array) throw TypeError("expected data to be a Uint8Array");
  AskForHugePages(data.data, data.length);
  return Arguments::Result();
}

constexpr Function kFunctions[] = {
    {"request", "native request", 1, ShareRequest}, {"fill", "native fill", 1, FillRange},
    {"widen", "native widen", 3, WidenData},        {"tally", "native tally", 4, TallyData},
    {"prepare", "native prepare", 1, PrepareData},
};

}  // namespace

void ExportFill(Napi::Env env, Napi::Object exports) { Export(env, exports, kFunctions); }

}  // namespace nninit
