// The addon: the doors of door_*.cc, and the settings of the whole process.
#include <napi.h>

#include <atomic>
#include <string>

#include "binding/arguments.h"
#include "system/targets.h"
#include "system/threads.h"

namespace {

Napi::Value SetNumThreads(const Napi::CallbackInfo& info) {
  double threads;
  if (info.Length() < 1 || !nninit::GetWhole(info.Env(), info[0], 1, nninit::kMaxThreads, &threads)) {
    nninit::ThrowRange(info.Env(), "set_num_threads: expected a whole number from 1 to 1024 for threads");
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
    nninit::ThrowRange(info.Env(),
                       "force_simd_target: expected one of simd_targets() for name, but received '" + name + "'");
    return {};
  }
  return info.Env().Undefined();
}

// Threads end with the last environment that loaded the addon: a worker thread's end must not stop another's fills.
std::atomic<int> environments{0};

void Leave(void* /*unused*/) {
  if (environments.fetch_sub(1) == 1) nninit::StopThreads();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  environments.fetch_add(1);
  napi_add_env_cleanup_hook(env, Leave, nullptr);
  nninit::ExportFill(env, exports);
  nninit::ExportRuns(env, exports);
  nninit::ExportTorch(env, exports);
  exports.Set("set_num_threads", Napi::Function::New(env, SetNumThreads, "set_num_threads"));
  exports.Set("get_num_threads", Napi::Function::New(env, GetNumThreads, "get_num_threads"));
  exports.Set("target", Napi::Function::New(env, Target, "target"));
  exports.Set("targets", Napi::Function::New(env, Targets, "targets"));
  exports.Set("forceTarget", Napi::Function::New(env, ForceTarget, "forceTarget"));
  return exports;
}

}  // namespace

NODE_API_MODULE(nninit, Init)
