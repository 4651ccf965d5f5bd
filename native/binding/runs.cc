// fillRuns: rectangular parts of fills.
#include "binding/arguments.h"
#include "fill/runs.h"

namespace nninit {
namespace {

// Whole numbers below 2^53, as Float64Arrays hold them.
bool IsWhole(double x) { return x >= 0 && x < 0x1p53 && x == static_cast<double>(static_cast<uint64_t>(x)); }

// offset, length, and the count and stride of each loop, outermost first; throws for `fn` otherwise.
bool GetRuns(napi_env env, const std::string& fn, napi_value value, Runs* runs) {
  View view;
  if (!GetView(env, value, &view) || view.type != napi_float64_array || view.length < 2 || view.length % 2 != 0 ||
      view.length > 2 + 2 * kMaxLoops) {
    ThrowType(env, fn + ": expected runs to be a Float64Array of offset, length and up to 8 pairs of count and stride");
    return false;
  }
  const double* number = static_cast<const double*>(view.data);
  for (size_t i = 0; i < view.length; ++i) {
    if (!IsWhole(number[i])) {
      ThrowRange(env, fn + ": expected runs to be whole numbers below 2^53");
      return false;
    }
  }
  runs->offset = static_cast<uint64_t>(number[0]);
  runs->length = static_cast<uint64_t>(number[1]);
  runs->loops = static_cast<int>(view.length / 2 - 1);
  for (int k = 0; k < runs->loops; ++k) {
    runs->count[k] = static_cast<uint64_t>(number[2 + 2 * k]);
    runs->stride[k] = static_cast<uint64_t>(number[3 + 2 * k]);
  }
  return true;
}

// fillRuns(data, dtype, kind, params, key, runs, begin, threads[, cancel]): true, or false if cancelled
napi_value FillOfRuns(napi_env env, napi_callback_info info) {
  constexpr const char* fn = "native fillRuns";
  napi_value arg[9];
  size_t count = 9;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 8) {
    return ThrowType(env, "native fillRuns: expected 8 arguments");
  }
  Fill fill;
  Range part{};
  View data, words;
  Runs runs;
  CancelFlag cancel;
  double begin;
  int threads;
  if (!GetFill(env, fn, arg[1], arg[2], arg[3], &part.dtype, &fill)) return nullptr;
  if (!GetData(env, fn, arg[0], part.dtype, &data)) return nullptr;
  if (!GetView(env, arg[4], &words) || words.type != napi_biguint64_array || words.length < 2) {
    return ThrowType(env, "native fillRuns: expected key to be a BigUint64Array of 2 elements");
  }
  if (!GetRuns(env, fn, arg[5], &runs)) return nullptr;
  if (!GetWhole(env, arg[6], 0, 0x1p53 - 1, &begin)) {
    return ThrowRange(env, "native fillRuns: expected begin to be a whole number below 2^53");
  }
  if (!GetThreads(env, fn, arg[7], &threads) || !GetCancel(env, fn, arg[8], &cancel)) return nullptr;
  part.data = data.data;
  part.begin = static_cast<uint64_t>(begin);
  part.count = data.length;
  const uint64_t* word = static_cast<const uint64_t*>(words.data);
  const Key key{word[0], word[1]};

  const std::string refusal = CheckRuns(fill, runs, part);
  if (!refusal.empty()) return ThrowRange(env, "native fillRuns: " + refusal);
  napi_value result = nullptr;
  bool done = false;
  if (Guard(env, fn, [&] { done = FillRuns(fill, key, runs, part, threads, cancel); })) {
    napi_get_boolean(env, done, &result);
  }
  return result;
}

}  // namespace

void ExportRuns(napi_env env, napi_value exports) { Export(env, exports, "fillRuns", FillOfRuns); }

}  // namespace nninit
