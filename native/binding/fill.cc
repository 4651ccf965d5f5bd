// fill, widen and prepare: the calls that run often, and so go past the wrapper's allocations.
#include "binding/arguments.h"
#include "system/large_memory.h"
#include "types/widen.h"

namespace nninit {
namespace {

// fill(data, dtype, kind, params, key, begin, threads[, cancel[, elements, writers]]): true, or false if cancelled.
// `elements`: how many of the whole are being filled at once, by `writers` threads.
napi_value FillRange(napi_env env, napi_callback_info info) {
  constexpr const char* fn = "native fill";
  napi_value arg[10];
  size_t count = 10;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 7) {
    return ThrowType(env, "native fill: expected 7 arguments");
  }
  Fill fill;
  Range range{};
  View data, words;
  CancelFlag cancel;
  double begin;
  int threads;
  if (!GetFill(env, fn, arg[1], arg[2], arg[3], &range.dtype, &fill)) return nullptr;
  if (!GetData(env, fn, arg[0], range.dtype, &data)) return nullptr;
  if (!GetView(env, arg[4], &words) || words.type != napi_biguint64_array || words.length < 2) {
    return ThrowType(env, "native fill: expected key to be a BigUint64Array of 2 elements");
  }
  if (!GetWhole(env, arg[5], 0, 0x1p53 - 1, &begin)) {
    return ThrowRange(env, "native fill: expected begin to be a whole number below 2^53");
  }
  if (!GetThreads(env, fn, arg[6], &threads) || !GetCancel(env, fn, arg[7], &cancel)) return nullptr;
  if (!GetWriters(env, fn, arg[8], arg[9], &range)) return nullptr;
  range.data = data.data;
  range.begin = static_cast<uint64_t>(begin);
  range.count = data.length;
  const uint64_t* word = static_cast<const uint64_t*>(words.data);
  const Key key{word[0], word[1]};

  const std::string refusal = CheckFill(fill, range);
  if (!refusal.empty()) return ThrowRange(env, "native fill: " + refusal);
  napi_value result = nullptr;
  bool done = false;
  if (Guard(env, fn, [&] { done = RunFill(fill, key, range, threads, cancel); })) napi_get_boolean(env, done, &result);
  return result;
}

// widen(data, dtype, out): float16 or bfloat16 to float32
napi_value Widen(napi_env env, napi_callback_info info) {
  napi_value arg[3];
  size_t count = 3;
  View data, out;
  double dtype;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 3 ||
      !GetView(env, arg[0], &data) || data.type != napi_uint16_array || !GetWhole(env, arg[1], 2, 3, &dtype) ||
      !GetView(env, arg[2], &out) || out.type != napi_float32_array || out.length != data.length) {
    return ThrowType(env, "native widen: expected a Uint16Array, a 16-bit dtype and a Float32Array of the same length");
  }
  Widen(static_cast<const uint16_t*>(data.data), data.length, static_cast<Dtype>(static_cast<int>(dtype)),
        static_cast<float*>(out.data));
  return nullptr;
}

// prepare(data): huge pages for memory that several threads will fill in pieces
napi_value Prepare(napi_env env, napi_callback_info info) {
  napi_value arg[1];
  size_t count = 1;
  View data;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 1 ||
      !GetView(env, arg[0], &data) ||
      (data.type != napi_float32_array && data.type != napi_float64_array && data.type != napi_uint16_array)) {
    return ThrowType(env, "native prepare: expected data to be a tensor's typed array");
  }
  const size_t bytes = data.type == napi_float64_array ? 8 : data.type == napi_float32_array ? 4 : 2;
  AskForHugePages(data.data, data.length * bytes);
  return nullptr;
}

}  // namespace

void ExportFill(napi_env env, napi_value exports) {
  Export(env, exports, "fill", FillRange);
  Export(env, exports, "widen", Widen);
  Export(env, exports, "prepare", Prepare);
}

}  // namespace nninit
