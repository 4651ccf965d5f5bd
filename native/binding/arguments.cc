#include "binding/arguments.h"

#include <algorithm>
#include <cmath>
#include <new>

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

napi_value Call(napi_env env, napi_callback_info info) {
  napi_value values[Arguments::kMost];
  size_t count = Arguments::kMost;
  void* data = nullptr;
  if (napi_get_cb_info(env, info, &count, values, nullptr, &data) != napi_ok) return nullptr;
  const Function& function = *static_cast<const Function*>(data);
  const auto message = [&](const char* what) { return std::string(function.caller) + ": " + what; };
  try {
    if (count < function.least) throw TypeError("expected " + std::to_string(function.least) + " arguments");
    Arguments arguments(env, values);
    return function.run(arguments);
  } catch (const TypeError& error) {
    napi_throw_type_error(env, nullptr, message(error.what()).c_str());
  } catch (const RangeError& error) {
    napi_throw_range_error(env, nullptr, message(error.what()).c_str());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", message("not enough memory to work in").c_str());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, message(error.what()).c_str());
  }
  return nullptr;
}

}  // namespace

bool Arguments::Skip() {
  napi_valuetype type = napi_undefined;
  napi_typeof(env_, *next_, &type);
  if (type != napi_undefined) return false;
  ++next_;
  return true;
}

bool Arguments::NextBoolean(const char* name) {
  bool value;
  if (napi_get_value_bool(env_, *next_++, &value) == napi_ok) return value;
  throw TypeError(std::string("expected ") + name + " to be true or false");
}

uint64_t Arguments::NextBigInt(const char* name) {
  uint64_t value;
  bool lossless;
  if (napi_get_value_bigint_uint64(env_, *next_++, &value, &lossless) == napi_ok && lossless) return value;
  throw TypeError(std::string("expected ") + name + " to be a bigint in [0, 2^64)");
}

std::string Arguments::NextString() {
  size_t length = 0;
  if (napi_get_value_string_utf8(env_, *next_, nullptr, 0, &length) != napi_ok) return {};
  std::string text(length, '\0');
  napi_get_value_string_utf8(env_, *next_++, text.data(), length + 1, &length);
  return text;
}

uint64_t Arguments::NextWhole(const char* name, uint64_t least, uint64_t most) {
  double number;
  if (napi_get_value_double(env_, *next_++, &number) == napi_ok && number >= static_cast<double>(least) &&
      number <= static_cast<double>(most) && number == std::floor(number)) {
    return static_cast<uint64_t>(number);
  }
  throw RangeError(std::string("expected ") + name + " to be a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most));
}

TypedArray Arguments::NextTypedArray(const char* name) {
  TypedArray array;
  if (napi_get_typedarray_info(env_, *next_++, &array.type, &array.length, &array.data, nullptr, nullptr) == napi_ok) {
    return array;
  }
  throw TypeError(std::string("expected ") + name + " to be a typed array");
}

void* Arguments::NextArray(napi_typedarray_type type, size_t length, const char* expected) {
  TypedArray array;
  if (napi_get_typedarray_info(env_, *next_++, &array.type, &array.length, &array.data, nullptr, nullptr) == napi_ok &&
      array.type == type && array.length == length) {
    return array.data;
  }
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

napi_value Arguments::Result(bool value) const {
  napi_value result = nullptr;
  napi_get_boolean(env_, value, &result);
  return result;
}

napi_value Arguments::Result(double value) const {
  napi_value result = nullptr;
  napi_create_double(env_, value, &result);
  return result;
}

napi_value Arguments::Result(const std::string& value) const {
  napi_value result = nullptr;
  napi_create_string_utf8(env_, value.c_str(), value.size(), &result);
  return result;
}

napi_value Arguments::Result(const std::vector<std::string>& values) const {
  napi_value result = nullptr;
  napi_create_array(env_, &result);
  for (uint32_t i = 0; i < values.size(); ++i) napi_set_element(env_, result, i, Result(values[i]));
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

void Export(napi_env env, napi_value exports, const Function* functions, size_t count) {
  for (const Function* function = functions; function != functions + count; ++function) {
    napi_value value;
    void* data = const_cast<Function*>(function);
    if (napi_create_function(env, function->name, NAPI_AUTO_LENGTH, Call, data, &value) == napi_ok) {
      napi_set_named_property(env, exports, function->name, value);
    }
  }
}

}  // namespace nninit
