#include "binding/arguments.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <optional>

#include "fill/check.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {
namespace {

// By the codes of lib/core/fill.ts.
enum class Kind : int { kConstant, kUniform, kNormal, kTruncNormal, kDiagonal, kOrthogonal, kSparse };
constexpr int kKinds = 7;
constexpr size_t kMaxNumbers = 6;

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
  __builtin_unreachable();
}

// What node-addon-api catches here becomes JavaScript's.
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
    throw Napi::TypeError::New(info.Env(), message(error.what()));
  } catch (const RangeError& error) {
    throw Napi::RangeError::New(info.Env(), message(error.what()));
  } catch (const std::bad_alloc&) {
    Napi::Error error = Napi::Error::New(info.Env(), message("not enough memory to work in"));
    error.Set("code", "ERR_MEMORY_ALLOCATION_FAILED");
    throw error;
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
bool Describe(Napi::Value value, TypedArray* array) {
  return napi_get_typedarray_info(value.Env(), value, &array->type, &array->length, &array->data, nullptr, nullptr) ==
         napi_ok;
}

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
  if (number && *number >= static_cast<double>(least) && *number <= static_cast<double>(most) &&
      *number == std::floor(*number)) {
    return static_cast<uint64_t>(*number);
  }
  throw RangeError(std::string("expected ") + name + " to be a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most));
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

Dtype Arguments::NextDtype() { return static_cast<Dtype>(NextWhole("dtype", 0, kDtypes - 1)); }

Range Arguments::NextData() {
  const TypedArray array = NextTypedArray("data");
  const Dtype dtype = NextDtype();
  if (!Holds(array.type, dtype)) throw TypeError("expected data to be the typed array of its dtype");
  if (array.length > 0 && array.data == nullptr) throw TypeError("expected data not to be detached");
  return {array.data, dtype, 0, array.length};
}

Fill Arguments::NextFill() {
  const auto kind = static_cast<Kind>(NextWhole("kind", 0, kKinds - 1));
  double n[kMaxNumbers];
  // Once, since another thread may be writing there.
  std::copy_n(static_cast<const double*>(
                  NextArray(napi_float64_array, kMaxNumbers, "params to be a Float64Array of 6 elements")),
              kMaxNumbers, n);
  switch (kind) {
    case Kind::kConstant:
      return ConstantFill{n[0]};
    case Kind::kUniform:
      return UniformFill{n[0], n[1]};
    case Kind::kNormal:
      return NormalFill{n[0], n[1]};
    case Kind::kTruncNormal:
      return TruncNormalFill{n[0], n[1], n[2], n[3]};
    case Kind::kDiagonal: {
      const auto whole = [](double x) {
        return WholeNumber(x, "offset, step, count, groups and group_stride to be whole numbers");
      };
      return DiagonalFill{n[0], whole(n[1]), whole(n[2]), whole(n[3]), whole(n[4]), whole(n[5])};
    }
    case Kind::kOrthogonal: {
      const auto whole = [](double x) { return WholeNumber(x, "rows, cols, stride and offset to be whole numbers"); };
      return OrthogonalFill{whole(n[0]), whole(n[1]), n[2], whole(n[3]), whole(n[4])};
    }
    case Kind::kSparse: {
      const auto whole = [](double x) { return WholeNumber(x, "rows, cols and zeros to be whole numbers"); };
      return SparseFill{whole(n[0]), whole(n[1]), whole(n[2]), n[3]};
    }
  }
  __builtin_unreachable();
}

Key Arguments::NextKey() {
  const auto* words =
      static_cast<const uint64_t*>(NextArray(napi_biguint64_array, 2, "key to be a BigUint64Array of 2 elements"));
  return {words[0], words[1]};
}

int Arguments::NextThreads() {
  const auto threads = static_cast<int>(NextWhole("threads", 0, kMaxThreads));
  return threads == 0 ? GetNumThreads() : threads;
}

CancelFlag Arguments::NextCancelFlag() {
  if (Skip()) return CancelFlag();
  return CancelFlag(
      static_cast<const int32_t*>(NextArray(napi_int32_array, 1, "cancel to be an Int32Array of 1 element")));
}

void Arguments::NextWriters(Range* range) {
  if (Skip()) return;
  const uint64_t elements = NextWhole("elements", 0, uint64_t{1} << 53);
  const auto writers = static_cast<int>(NextWhole("writers", 1, kMaxThreads));
  if (ExceedsCaches(elements, DtypeBytes(range->dtype))) range->writers = writers;
}

Napi::Value Arguments::Result(bool value) const { return Napi::Boolean::New(info_.Env(), value); }

Napi::Value Arguments::Result(double value) const { return Napi::Number::New(info_.Env(), value); }

Napi::Value Arguments::Result(const std::string& value) const { return Napi::String::New(info_.Env(), value); }

Napi::Value Arguments::Result(const std::vector<std::string>& values) const {
  Napi::Array result = Napi::Array::New(info_.Env(), values.size());
  for (uint32_t i = 0; i < values.size(); ++i) result.Set(i, Result(values[i]));
  return result;
}

uint64_t WholeNumber(double number, const char* expected) {
  if (number >= 0 && number <= static_cast<double>(kMaxIndex) && number == std::floor(number)) {
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
