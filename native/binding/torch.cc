// Fills of the torch engine, and its generator's state.
#include "binding/arguments.h"
#include "fill/check.h"
#include "torch/run.h"

namespace nninit {
namespace {

uint8_t* NextBytes(Arguments* arguments) {
  return static_cast<uint8_t*>(
      arguments->NextArray(napi_uint8_array, kTorchStateBytes, "state to be a Uint8Array of 5056 bytes"));
}

// Reads it too.
uint8_t* NextState(Arguments* arguments, TorchState* state) {
  uint8_t* bytes = NextBytes(arguments);
  const std::string refusal = ReadTorchState(bytes, state);
  if (!refusal.empty()) throw RangeError("expected a state of PyTorch's generator: " + refusal);
  return bytes;
}

RandomFill RandomOf(const Fill& fill) {
  const auto random = As<RandomFill>(fill);
  if (!random) throw RangeError("expected a random fill");
  return *random;
}

// torchFill(data, state, advance[, cancel]): how often values were drawn, 0 if cancelled. With `advance` the state
// becomes the one after the fill.
Napi::Value FillTorch(Arguments& arguments) {
  const Request request = arguments.ReadRequest();
  Range range = arguments.NextData(request.ReadDtype());
  TorchState state;
  uint8_t* bytes = NextState(&arguments, &state);
  const bool advance = arguments.NextBoolean("advance");
  const CancelFlag cancel = arguments.NextCancelFlag();
  const Fill fill = request.ReadFill();
  const TorchFill torch{RandomOf(fill), range.dtype, request.ReadTotal()};
  range.begin = request.ReadBegin();
  request.ReadWriters(&range);
  const int threads = request.ReadThreads();
  ThrowRefusal(CheckFill(fill, range));
  ThrowRefusal(CheckTorch(torch, range));
  if (advance && range.count != torch.total) throw RangeError("expected the whole fill for advance");
  const uint64_t rounds = RunTorch(torch, state, range, threads, cancel, advance ? &state : nullptr);
  if (advance && rounds > 0) WriteTorchState(state, bytes);
  return arguments.Result(static_cast<double>(rounds));
}

// torchSkip(state): the state becomes the one after the fill
Napi::Value SkipFill(Arguments& arguments) {
  const Request request = arguments.ReadRequest();
  TorchState state;
  uint8_t* bytes = NextState(&arguments, &state);
  const Dtype dtype = request.ReadDtype();
  const Fill fill = request.ReadFill();
  const TorchFill torch{RandomOf(fill), dtype, request.ReadTotal()};
  const uint64_t rounds = request.ReadRounds();
  const Range whole{nullptr, dtype, 0, static_cast<size_t>(torch.total)};
  ThrowRefusal(CheckFill(fill, whole));
  ThrowRefusal(CheckTorch(torch, whole));
  if (!SkipTorch(torch, rounds, &state)) throw RangeError("expected as many rounds as a fill can take");
  WriteTorchState(state, bytes);
  return Arguments::Result();
}

// torchSeed(state, seed): what torch.manual_seed(seed) makes
Napi::Value SeedState(Arguments& arguments) {
  uint8_t* bytes = NextBytes(&arguments);
  TorchState state;
  SeedTorch(arguments.NextBigInt("seed"), &state);
  WriteTorchState(state, bytes);
  return Arguments::Result();
}

// torchCheck(state): why these bytes are no state, or an empty string
Napi::Value CheckState(Arguments& arguments) {
  TorchState state;
  return arguments.Result(ReadTorchState(NextBytes(&arguments), &state));
}

constexpr Function kFunctions[] = {
    {"torchFill", "native torchFill", 3, FillTorch},
    {"torchSkip", "native torchSkip", 1, SkipFill},
    {"torchSeed", "native torchSeed", 2, SeedState},
    {"torchCheck", "native torchCheck", 1, CheckState},
};

}  // namespace

void ExportTorch(Napi::Env env, Napi::Object exports) { Export(env, exports, kFunctions); }

}  // namespace nninit
