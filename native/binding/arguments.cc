#include "binding/arguments.h"

#include <limits>
#include <new>
#include <optional>
#include <utility>

#include "fill/check.h"
#include "types/compiler.h"

namespace nninit {
namespace {

bool Holds(napi_typedarray_type type, Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return type == napi_float32_array;
    case Dtype::kFloat64:
      return type == napi_float64_array;
    case Dtype::kFloat16:
    case Dtype::kBFloat16:
      return type == napi_uint16_array;
  }
  Unreachable();
}

// Of a number below 2^63. There and back costs less than `floor`, which the C library is called for.
bool IsWhole(double number) { return number == static_cast<double>(static_cast<int64_t>(number)); }

// Node's own code for errors of this kind.
Napi::Error WithCode(Napi::Error error, const char* code) {
  error.Set("code", code);
  return error;
}

// What this throws, node-addon-api throws in JavaScript.
Napi::Value Call(const Napi::CallbackInfo& info) {
  const Function& function = *static_cast<const Function*>(info.Data());
  const auto message = [&](const char* what) { return std::string(function.caller) + ": " + what; };
  try {
    if (info.Length() < function.least) throw TypeError("expected " + std::to_string(function.least) + " arguments");
    Arguments arguments(info);
    return function.run(arguments);
  } catch (const Napi::Error&) {
    throw;
  } catch (const TypeError& error) {
    throw WithCode(Napi::TypeError::New(info.Env(), message(error.what())), "ERR_INVALID_ARG_TYPE");
  } catch (const RangeError& error) {
    throw WithCode(Napi::RangeError::New(info.Env(), message(error.what())), "ERR_OUT_OF_RANGE");
  } catch (const std::bad_alloc&) {
    throw WithCode(Napi::Error::New(info.Env(), message("not enough memory to work in")),
                   "ERR_MEMORY_ALLOCATION_FAILED");
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), message(error.what()));
  }
}

// What `read` makes of a value; none if the value is of another type. Asking for its type first would be one more call
// into Node for each argument.
template <class Read>
auto TryRead(const Read& read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Napi::Error&) {
    return std::nullopt;
  }
}

// Raw, since node-addon-api gets at the memory through the ArrayBuffer, which a SharedArrayBuffer is not.
bool Describe(Napi::Value value, TypedArray* array, napi_value* buffer = nullptr) {
  return napi_get_typedarray_info(value.Env(), value, &array->type, &array->length, &array->data, buffer, nullptr) ==
         napi_ok;
}

class Work final : public Napi::AsyncWorker {
 public:
  Work(Napi::Env env, std::function<int()> work) : AsyncWorker(env), work_(std::move(work)), promise_(env) {}

  void Execute() override { result_ = work_(); }
  void OnOK() override { promise_.Resolve(Napi::Number::New(Env(), result_)); }

  Napi::Promise Promise() const { return promise_.Promise(); }

 private:
  const std::function<int()> work_;
  const Napi::Promise::Deferred promise_;
  int result_ = 0;
};

// What was handed over in one environment, which keeps it.
struct RequestMemory {
  Napi::ObjectReference array;
  const void* data;
};

}  // namespace

bool Arguments::Skip() {
  if (next_ < info_.Length() && !info_[next_].IsUndefined()) return false;
  ++next_;
  return true;
}

bool Arguments::NextBoolean(const char* name) {
  const auto value = TryRead([next = Next()] { return next.As<Napi::Boolean>().Value(); });
  if (value) return *value;
  throw TypeError(std::string("expected ") + name + " to be true or false");
}

uint64_t Arguments::NextBigInt(const char* name) {
  bool lossless = false;
  const auto value = TryRead([&, next = Next()] { return next.As<Napi::BigInt>().Uint64Value(&lossless); });
  if (value && lossless) return *value;
  throw TypeError(std::string("expected ") + name + " to be a bigint in [0, 2^64)");
}

std::string Arguments::NextString() {
  const Napi::Value next = Next();
  return next.IsString() ? next.As<Napi::String>().Utf8Value() : std::string();
}

uint64_t Arguments::NextWhole(const char* name, uint64_t least, uint64_t most) {
  const auto number = TryRead([next = Next()] { return next.As<Napi::Number>().DoubleValue(); });
  return WholeIn(number.value_or(std::numeric_limits<double>::quiet_NaN()), name, least, most);
}

TypedArray Arguments::NextTypedArray(const char* name) {
  TypedArray array;
  if (Describe(Next(), &array)) return array;
  throw TypeError(std::string("expected ") + name + " to be a typed array");
}

void* Arguments::NextArray(napi_typedarray_type type, size_t length, const char* expected) {
  TypedArray array;
  if (Describe(Next(), &array) && array.type == type && array.length == length) return array.data;
  throw TypeError(std::string("expected ") + expected);
}

Range Arguments::RangeOf(const TypedArray& array, Dtype dtype) {
  if (!Holds(array.type, dtype)) throw TypeError("expected data to be the typed array of its dtype");
  if (array.length > 0 && array.data == nullptr) throw TypeError("expected data not to be detached");
  return {array.data, dtype, 0, array.length};
}

Request Arguments::ReadRequest() const {
  const RequestMemory* memory = info_.Env().GetInstanceData<RequestMemory>();
  if (memory == nullptr) throw TypeError("expected request to have been called before");
  return Request(memory->data);
}

Napi::Value Arguments::ShareRequest() {
  const Napi::Env env = info_.Env();
  if (const RequestMemory* memory = env.GetInstanceData<RequestMemory>()) return memory->array.Value();
  const Napi::Value given = Next();
  TypedArray array;
  napi_value buffer = nullptr;
  bool owned = true;
  // Not an ArrayBuffer, which could be detached: its memory may move then, or go.
  if (!Describe(given, &array, &buffer) || array.type != napi_float64_array || array.length != kSlots ||
      napi_is_arraybuffer(env, buffer, &owned) != napi_ok || owned) {
    throw TypeError("expected a Float64Array of " + std::to_string(kSlots) + " elements on a SharedArrayBuffer");
  }
  env.SetInstanceData(new RequestMemory{Napi::Persistent(given.As<Napi::Object>()), array.data});
  return given;
}

CancelFlag Arguments::NextCancelFlag() {
  if (Skip()) return CancelFlag();
  const TypedArray array = NextTypedArray("cancel");
  if (array.type != napi_int32_array || array.length < 1 || array.length > 2) {
    throw TypeError("expected cancel to be an Int32Array of 1 or 2 elements");
  }
  auto* words = static_cast<int32_t*>(array.data);
  return CancelFlag(words, array.length == 2 ? words + 1 : nullptr);
}

Napi::Value Arguments::Result(bool value) const { return Napi::Boolean::New(info_.Env(), value); }

Napi::Value Arguments::Result(double value) const { return Napi::Number::New(info_.Env(), value); }

Napi::Value Arguments::Result(const std::string& value) const { return Napi::String::New(info_.Env(), value); }

Napi::Value Arguments::Result(const std::vector<std::string>& values) const {
  Napi::Array result = Napi::Array::New(info_.Env(), values.size());
  for (uint32_t i = 0; i < values.size(); ++i) result.Set(i, Result(values[i]));
  return result;
}

Napi::Value Arguments::Later(std::function<int()> work) const {
  auto* later = new Work(info_.Env(), std::move(work));  // it deletes itself
  later->Queue();
  return later->Promise();
}

uint64_t WholeIn(double number, const char* name, uint64_t least, uint64_t most) {
  if (number >= static_cast<double>(least) && number <= static_cast<double>(most) && IsWhole(number)) {
    return static_cast<uint64_t>(number);
  }
  throw RangeError(std::string("expected ") + name + " to be a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most));
}

uint64_t WholeNumber(double number, const char* expected) {
  if (number >= 0 && number <= static_cast<double>(kMaxIndex) && IsWhole(number)) {
    return static_cast<uint64_t>(number);
  }
  throw RangeError(Refusal(expected, number));
}

void ThrowRefusal(const std::string& refusal) {
  if (!refusal.empty()) throw RangeError(refusal);
}

void Export(Napi::Env env, Napi::Object exports, const Function* functions, size_t count) {
  for (const Function* function = functions; function != functions + count; ++function) {
    void* data = const_cast<Function*>(function);
    exports.Set(function->name, Napi::Function::New<Call>(env, function->name, data));
  }
}

}  // namespace nninit
