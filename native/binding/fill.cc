// fill, widen and prepare.
#include "binding/arguments.h"
#include "fill/check.h"
#include "fill/run.h"
#include "system/large_memory.h"
#include "types/widen.h"

namespace nninit {
namespace {

// fill(data, dtype, kind, params, key, begin, threads[, cancel[, elements, writers]]): true, or false if cancelled.
// `elements`: how many of the whole are being filled at once, by `writers` threads.
Napi::Value FillRange(Arguments& arguments) {
  Range range = arguments.NextData();
  const Fill fill = arguments.NextFill();
  const Key key = arguments.NextKey();
  range.begin = arguments.NextWhole("begin", 0, kMaxIndex);
  const int threads = arguments.NextThreads();
  const CancelFlag cancel = arguments.NextCancelFlag();
  arguments.NextWriters(&range);
  ThrowRefusal(CheckFill(fill, range));
  return arguments.Result(RunFill(fill, key, range, threads, cancel));
}

// widen(data, dtype, out): float16 or bfloat16 to float32
Napi::Value WidenData(Arguments& arguments) {
  const Range data = arguments.NextData();
  if (DtypeBytes(data.dtype) != 2) throw TypeError("expected a 16-bit dtype");
  void* out = arguments.NextArray(napi_float32_array, data.count, "out to be a Float32Array of the same length");
  Widen(static_cast<const uint16_t*>(data.data), data.count, data.dtype, static_cast<float*>(out));
  return Arguments::Result();
}

// prepare(data): huge pages for memory that several threads will fill in pieces
Napi::Value PrepareData(Arguments& arguments) {
  const TypedArray data = arguments.NextTypedArray("data");
  size_t bytes = 0;
  if (data.type == napi_float32_array) bytes = sizeof(float);
  if (data.type == napi_float64_array) bytes = sizeof(double);
  if (data.type == napi_uint16_array) bytes = sizeof(uint16_t);
  if (bytes == 0) throw TypeError("expected data to be a tensor's typed array");
  AskForHugePages(data.data, data.length * bytes);
  return Arguments::Result();
}

constexpr Function kFunctions[] = {
    {"fill", "native fill", 7, FillRange},
    {"widen", "native widen", 3, WidenData},
    {"prepare", "native prepare", 1, PrepareData},
};

}  // namespace

void ExportFill(Napi::Env env, Napi::Object exports) { Export(env, exports, kFunctions); }

}  // namespace nninit
