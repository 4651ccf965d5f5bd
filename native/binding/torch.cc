// Fills of the torch engine, and its generator's state.
#include <cmath>

#include "binding/arguments.h"
#include "torch/run.h"

namespace nninit {
namespace {

bool GetState(napi_env env, const char* fn, napi_value value, uint8_t** bytes, TorchState* stream) {
  const std::string prefix(fn);
  View view;
  if (!GetView(env, value, &view) || view.type != napi_uint8_array || view.length != kTorchStateBytes) {
    ThrowType(env, prefix + ": expected state to be a Uint8Array of 5056 bytes");
    return false;
  }
  *bytes = static_cast<uint8_t*>(view.data);
  const std::string refusal = ReadTorchState(*bytes, stream);
  if (!refusal.empty()) ThrowRange(env, prefix + ": expected a state of PyTorch's generator: " + refusal);
  return refusal.empty();
}

bool GetTotal(napi_env env, const char* fn, napi_value value, uint64_t* total) {
  double number;
  if (!GetWhole(env, value, 0, 0x1p53 - 1, &number)) {
    ThrowRange(env, std::string(fn) + ": expected a whole number below 2^53");
    return false;
  }
  *total = static_cast<uint64_t>(number);
  return true;
}

// torchFill(data, dtype, kind, params, state, total, begin, threads, advance[, cancel[, elements, writers]]): how
// often values were drawn, 0 if cancelled. With `advance` the state becomes the one after the fill.
napi_value TorchFillRange(napi_env env, napi_callback_info info) {
  constexpr const char* fn = "native torchFill";
  napi_value arg[12];
  size_t count = 12;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 9) {
    return ThrowType(env, "native torchFill: expected 9 arguments");
  }
  TorchFill torch;
  Range range{};
  View data;
  CancelFlag cancel;
  TorchState stream;
  uint8_t* state;
  int threads;
  bool advance;
  if (!GetFill(env, fn, arg[1], arg[2], arg[3], &torch.dtype, &torch.fill)) return nullptr;
  if (!GetData(env, fn, arg[0], torch.dtype, &data) || !GetState(env, fn, arg[4], &state, &stream)) return nullptr;
  if (!GetTotal(env, fn, arg[5], &torch.total) || !GetTotal(env, fn, arg[6], &range.begin)) return nullptr;
  if (!GetThreads(env, fn, arg[7], &threads) || !GetCancel(env, fn, arg[9], &cancel)) return nullptr;
  if (napi_get_value_bool(env, arg[8], &advance) != napi_ok) {
    return ThrowType(env, "native torchFill: expected advance to be true or false");
  }
  range.data = data.data;
  range.dtype = torch.dtype;
  if (!GetWriters(env, fn, arg[10], arg[11], &range)) return nullptr;
  range.count = data.length;
  std::string refusal = CheckFill(torch.fill, range);
  if (refusal.empty()) refusal = CheckTorch(torch, range);
  if (refusal.empty() && advance && range.count != torch.total) refusal = "expected the whole fill for advance";
  if (!refusal.empty()) return ThrowRange(env, std::string(fn) + ": " + refusal);
  napi_value result = nullptr;
  uint64_t rounds = 0;
  const auto run = [&] { rounds = RunTorch(torch, stream, range, threads, cancel, advance ? &stream : nullptr); };
  if (!Guard(env, fn, run)) return nullptr;
  if (advance && rounds > 0) WriteTorchState(stream, state);
  napi_create_double(env, static_cast<double>(rounds), &result);
  return result;
}

// torchSkip(state, dtype, kind, params, total, rounds): the state becomes the one after the fill
napi_value TorchSkip(napi_env env, napi_callback_info info) {
  constexpr const char* fn = "native torchSkip";
  napi_value arg[6];
  size_t count = 6;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 6) {
    return ThrowType(env, "native torchSkip: expected 6 arguments");
  }
  TorchFill torch;
  TorchState stream;
  uint8_t* state;
  uint64_t rounds;
  if (!GetState(env, fn, arg[0], &state, &stream)) return nullptr;
  if (!GetFill(env, fn, arg[1], arg[2], arg[3], &torch.dtype, &torch.fill)) return nullptr;
  if (!GetTotal(env, fn, arg[4], &torch.total) || !GetTotal(env, fn, arg[5], &rounds)) return nullptr;
  const Range range{nullptr, torch.dtype, 0, static_cast<size_t>(torch.total)};
  std::string refusal = CheckFill(torch.fill, range);
  if (refusal.empty()) refusal = CheckTorch(torch, range);
  if (!refusal.empty()) return ThrowRange(env, std::string(fn) + ": " + refusal);
  bool skipped = false;
  if (!Guard(env, fn, [&] { skipped = SkipTorch(torch, rounds, &stream); })) return nullptr;
  if (!skipped) return ThrowRange(env, std::string(fn) + ": expected as many rounds as a fill can take");
  WriteTorchState(stream, state);
  return nullptr;
}

// torchSeed(state, seed): what torch.manual_seed(seed) makes
napi_value TorchSeed(napi_env env, napi_callback_info info) {
  napi_value arg[2];
  size_t count = 2;
  View state;
  uint64_t seed;
  bool lossless;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 2 ||
      !GetView(env, arg[0], &state) || state.type != napi_uint8_array || state.length != kTorchStateBytes ||
      napi_get_value_bigint_uint64(env, arg[1], &seed, &lossless) != napi_ok || !lossless) {
    return ThrowType(env, "native torchSeed: expected a Uint8Array of 5056 bytes and a bigint in [0, 2^64)");
  }
  TorchState stream;
  SeedTorch(seed, &stream);
  WriteTorchState(stream, static_cast<uint8_t*>(state.data));
  return nullptr;
}

// torchCheck(state): why these bytes are no state, or an empty string
napi_value TorchCheck(napi_env env, napi_callback_info info) {
  napi_value arg[1];
  size_t count = 1;
  View state;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 1 ||
      !GetView(env, arg[0], &state) || state.type != napi_uint8_array || state.length != kTorchStateBytes) {
    return ThrowType(env, "native torchCheck: expected a Uint8Array of 5056 bytes");
  }
  TorchState stream;
  const std::string refusal = ReadTorchState(static_cast<const uint8_t*>(state.data), &stream);
  napi_value result = nullptr;
  napi_create_string_utf8(env, refusal.c_str(), refusal.size(), &result);
  return result;
}

}  // namespace

void ExportTorch(napi_env env, napi_value exports) {
  Export(env, exports, "torchFill", TorchFillRange);
  Export(env, exports, "torchSkip", TorchSkip);
  Export(env, exports, "torchSeed", TorchSeed);
  Export(env, exports, "torchCheck", TorchCheck);
}

}  // namespace nninit
