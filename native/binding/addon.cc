// The addon: the functions of the files beside this one, and the settings of the whole process.
#include <atomic>
#include <limits>

#include "binding/arguments.h"
#include "system/priority.h"
#include "system/signal_guard.h"
#include "system/sync_file.h"
#include "system/targets.h"
#include "system/threads.h"

namespace nninit {
namespace {

constexpr uint64_t kMaxGrace = 1'000'000'000;  // milliseconds: eleven days

constexpr Function kFunctions[] = {
    {"setNumThreads", "set_num_threads", 1,
     [](Arguments& arguments) {
       SetNumThreads(static_cast<int>(arguments.NextWhole("threads", 1, kMaxThreads)));
       return Arguments::Result();
     }},
    {"limitThreads", "limitThreads", 1,
     [](Arguments& arguments) {
       LimitThreads(static_cast<int>(arguments.NextWhole("cores", 1, kMaxThreads)));
       return Arguments::Result();
     }},
    {"getNumThreads", "get_num_threads", 0,
     [](Arguments& arguments) { return arguments.Result(static_cast<double>(GetNumThreads())); }},
    {"target", "simdTarget", 0, [](Arguments& arguments) { return arguments.Result(Target()); }},
    {"targets", "simdTargets", 0, [](Arguments& arguments) { return arguments.Result(Targets()); }},
    {"forceTarget", "forceSimdTarget", 1,
     [](Arguments& arguments) {
       const std::string name = arguments.NextString();
       if (ForceTarget(name)) return Arguments::Result();
       throw RangeError("expected one of simdTargets() for name, but received '" + name + "'");
     }},
    {"startSignalGuard", "startSignalGuard", 2,
     [](Arguments& arguments) {
       const int grace = static_cast<int>(arguments.NextWhole("milliseconds", 0, kMaxGrace));
       return arguments.Result(StartSignalGuard(grace, arguments.NextString()));
     }},
    {"stopSignalGuard", "stopSignalGuard", 0,
     [](Arguments&) {
       StopSignalGuard();
       return Arguments::Result();
     }},
    {"syncFile", "syncFile", 1,
     [](Arguments& arguments) {
       const int descriptor = static_cast<int>(arguments.NextWhole("descriptor", 0, std::numeric_limits<int>::max()));
       return arguments.Later([descriptor] { return SyncFile(descriptor); });
     }},
    {"standBack", "standBack", 1,
     [](Arguments& arguments) {
       StandBack(static_cast<int>(arguments.NextWhole("niceness", 0, kMostNiceness)));
       return Arguments::Result();
     }},
    {"accountMemory", "accountMemory", 2,
     [](Arguments& arguments) {
       const auto bytes = static_cast<int64_t>(arguments.NextWhole("bytes", 0, kMaxIndex));
       arguments.Account(arguments.NextBoolean("freed") ? -bytes : bytes);
       return Arguments::Result();
     }},
};

// Threads end with the last environment that loaded the addon: a worker thread's end must not stop another's fills.
std::atomic<int> environments{0};

void Leave() {
  if (environments.fetch_sub(1) != 1) return;
  StopSignalGuard();
  StopThreads();
}

Napi::Object Load(Napi::Env env, Napi::Object exports) {
  environments.fetch_add(1);
  // One thread may load the addon more than once; each time is a hook of its own.
  env.AddCleanupHook(Leave);
  Export(env, exports, kFunctions);
  ExportCodes(env, exports);
  ExportFill(env, exports);
  ExportRuns(env, exports);
  ExportTorch(env, exports);
  return exports;
}

}  // namespace
}  // namespace nninit

// The macro makes a name of this one.
using nninit::Load;
NODE_API_MODULE(nninit, Load)
