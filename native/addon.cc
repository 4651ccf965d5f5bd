// The door: reads arguments, makes views, and nothing else. Every function checks what it is handed, since JavaScript
// can hand over anything; TypeScript has the friendlier messages.
#include <napi.h>

#include <atomic>
#include <cmath>
#include <exception>
#include <new>
#include <string>

#include "fill.h"
#include "kernels/storage.h"
#include "memory.h"
#include "targets.h"
#include "threads.h"
#include "widen.h"

namespace {

using nninit::Dtype;

struct View {
  void* data = nullptr;
  size_t length = 0;  // elements
  napi_typedarray_type type = napi_int8_array;
};

// The memory behind a typed array, asked for anew at every call. A detached array has length 0.
bool GetView(napi_env env, napi_value value, View* view) {
  bool is_typedarray = false;
  if (napi_is_typedarray(env, value, &is_typedarray) != napi_ok || !is_typedarray) return false;
  napi_value buffer;
  size_t offset;
  return napi_get_typedarray_info(env, value, &view->type, &view->length, &view->data, &buffer, &offset) == napi_ok;
}

bool GetNumber(napi_env env, napi_value value, double* number) {
  return napi_get_value_double(env, value, number) == napi_ok;
}

// A whole number in [low, high].
bool GetWhole(napi_env env, napi_value value, double low, double high, double* number) {
  return GetNumber(env, value, number) && *number >= low && *number <= high && *number == std::floor(*number);
}

napi_value ThrowType(napi_env env, const std::string& message) {
  napi_throw_type_error(env, nullptr, message.c_str());
  return nullptr;
}

napi_value ThrowRange(napi_env env, const std::string& message) {
  napi_throw_range_error(env, nullptr, message.c_str());
  return nullptr;
}

bool TypeHolds(napi_typedarray_type type, Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return type == napi_float32_array;
    case Dtype::kFloat64:
      return type == napi_float64_array;
    default:
      return type == napi_uint16_array;
  }
}

// fill(data, dtype, kind, params, key, begin, threads[, cancel]): true, or false if cancelled
napi_value Fill(napi_env env, napi_callback_info info) {
  napi_value arg[8];
  size_t count = 8;
  if (napi_get_cb_info(env, info, &count, arg, nullptr, nullptr) != napi_ok || count < 7) {
    return ThrowType(env, "native fill: expected 7 arguments");
  }
  View data, params, key;
  double dtype, kind, begin, threads;
  if (!GetView(env, arg[0], &data)) return ThrowType(env, "native fill: expected data to be a typed array");
  if (!GetWhole(env, arg[1], 0, nninit::kDtypes - 1, &dtype)) {
    return ThrowRange(env, "native fill: expected dtype to be a known code");
  }
  if (!GetWhole(env, arg[2], 0, nninit::kKinds - 1, &kind)) {
    return ThrowRange(env, "native fill: expected kind to be a known code");
  }
  if (!GetView(env, arg[3], &params) || params.type != napi_float64_array || params.length < nninit::kMaxParams) {
    return ThrowType(env, "native fill: expected params to be a Float64Array of 6 elements");
  }
  if (!GetView(env, arg[4], &key) || key.type != napi_biguint64_array || key.length < 2) {
    return ThrowType(env, "native fill: expected key to be a BigUint64Array of 2 elements");
  }
  if (!GetWhole(env, arg[5], 0, 0x1p53 - 1, &begin)) {
    return ThrowRange(env, "native fill: expected begin to be a whole number below 2^53");
  }
  if (!GetWhole(env, arg[6], 0, nninit::kMaxThreads, &threads)) {
    return ThrowRange(env, "native fill: expected threads to be a whole number from 0 to 1024");
  }
  const nninit::Range range{data.data, static_cast<Dtype>(static_cast<int>(dtype)), static_cast<uint64_t>(begin),
                            data.length};
  if (!TypeHolds(data.type, range.dtype)) {
    return ThrowType(env, "native fill: expected data to be the typed array of its dtype");
  }
  if (data.length > 0 && data.data == nullptr) return ThrowType(env, "native fill: expected data not to be detached");

  nninit::Cancel cancel;
  napi_valuetype cancel_type = napi_undefined;
  napi_typeof(env, arg[7], &cancel_type);
  if (cancel_type != napi_undefined) {
    View word;
    if (!GetView(env, arg[7], &word) || word.type != napi_int32_array || word.length != 1) {
      return ThrowType(env, "native fill: expected cancel to be an Int32Array of 1 element");
    }
    cancel = nninit::Cancel(static_cast<const int32_t*>(word.data));
  }

  nninit::Fill fill;
  fill.kind = static_cast<nninit::Kind>(static_cast<int>(kind));
  const double* param = static_cast<const double*>(params.data);
  for (int i = 0; i < nninit::kMaxParams; ++i) fill.param[i] = param[i];
  const uint64_t* words = static_cast<const uint64_t*>(key.data);
  const nninit::Key stream_key{words[0], words[1]};

  const std::string refusal = nninit::CheckFill(fill, range);
  if (!refusal.empty()) return ThrowRange(env, "native fill: " + refusal);
  try {
    const int count_threads = threads == 0 ? nninit::GetNumThreads() : static_cast<int>(threads);
    const bool done = nninit::RunFill(fill, stream_key, range, count_threads, cancel);
    napi_value result = nullptr;
    napi_get_boolean(env, done, &result);
    return result;
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", "native fill: not enough memory to work in");
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
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
  nninit::Widen(static_cast<const uint16_t*>(data.data), data.length, static_cast<Dtype>(static_cast<int>(dtype)),
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
  nninit::AskForHugePages(data.data, data.length * bytes);
  return nullptr;
}

Napi::Value SetNumThreads(const Napi::CallbackInfo& info) {
  double threads;
  if (info.Length() < 1 || !GetWhole(info.Env(), info[0], 1, nninit::kMaxThreads, &threads)) {
    ThrowRange(info.Env(), "set_num_threads: expected a whole number from 1 to 1024 for threads");
    return {};
  }
  nninit::SetNumThreads(static_cast<int>(threads));
  return info.Env().Undefined();
}

Napi::Value GetNumThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), nninit::GetNumThreads());
}

Napi::Value Target(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), nninit::Target()); }

Napi::Value Targets(const Napi::CallbackInfo& info) {
  const auto names = nninit::Targets();
  Napi::Array result = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); ++i) result[i] = Napi::String::New(info.Env(), names[i]);
  return result;
}

Napi::Value ForceTarget(const Napi::CallbackInfo& info) {
  const std::string name = info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  if (!nninit::ForceTarget(name)) {
    ThrowRange(info.Env(), "force_simd_target: expected one of simd_targets() for name, but received '" + name + "'");
    return {};
  }
  return info.Env().Undefined();
}

// Threads end with the last environment that loaded the addon: a worker thread's end must not stop another's fills.
std::atomic<int> environments{0};

void Leave(void* /*unused*/) {
  if (environments.fetch_sub(1) == 1) nninit::StopThreads();
}

void Export(napi_env env, Napi::Object exports, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    exports.Set(name, Napi::Value(env, function));
  }
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  environments.fetch_add(1);
  napi_add_env_cleanup_hook(env, Leave, nullptr);
  // Those that run often go past the wrapper's allocations.
  Export(env, exports, "fill", Fill);
  Export(env, exports, "widen", Widen);
  Export(env, exports, "prepare", Prepare);
  exports.Set("set_num_threads", Napi::Function::New(env, SetNumThreads, "set_num_threads"));
  exports.Set("get_num_threads", Napi::Function::New(env, GetNumThreads, "get_num_threads"));
  exports.Set("target", Napi::Function::New(env, Target, "target"));
  exports.Set("targets", Napi::Function::New(env, Targets, "targets"));
  exports.Set("force_target", Napi::Function::New(env, ForceTarget, "force_target"));
  return exports;
}

}  // namespace

NODE_API_MODULE(nninit, Init)
