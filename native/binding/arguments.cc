#include "binding/arguments.h"

#include <cmath>

#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {
namespace {

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

}  // namespace

bool GetView(napi_env env, napi_value value, View* view) {
  bool is_typedarray = false;
  if (napi_is_typedarray(env, value, &is_typedarray) != napi_ok || !is_typedarray) return false;
  napi_value buffer;
  size_t offset;
  return napi_get_typedarray_info(env, value, &view->type, &view->length, &view->data, &buffer, &offset) == napi_ok;
}

bool GetData(napi_env env, const char* fn, napi_value value, Dtype dtype, View* view) {
  const std::string prefix(fn);
  if (!GetView(env, value, view)) {
    ThrowType(env, prefix + ": expected data to be a typed array");
  } else if (!TypeHolds(view->type, dtype)) {
    ThrowType(env, prefix + ": expected data to be the typed array of its dtype");
  } else if (view->length > 0 && view->data == nullptr) {
    ThrowType(env, prefix + ": expected data not to be detached");
  } else {
    return true;
  }
  return false;
}

bool GetNumber(napi_env env, napi_value value, double* number) {
  return napi_get_value_double(env, value, number) == napi_ok;
}

bool GetWhole(napi_env env, napi_value value, double low, double high, double* number) {
  return GetNumber(env, value, number) && *number >= low && *number <= high && *number == std::floor(*number);
}

bool GetFill(napi_env env, const char* fn, napi_value dtype_code, napi_value kind_code, napi_value params, Dtype* dtype,
             Fill* fill) {
  const std::string prefix(fn);
  double code, kind;
  View view;
  if (!GetWhole(env, dtype_code, 0, kDtypes - 1, &code)) {
    ThrowRange(env, prefix + ": expected dtype to be a known code");
    return false;
  }
  if (!GetWhole(env, kind_code, 0, kKinds - 1, &kind)) {
    ThrowRange(env, prefix + ": expected kind to be a known code");
    return false;
  }
  if (!GetView(env, params, &view) || view.type != napi_float64_array || view.length < kMaxParams) {
    ThrowType(env, prefix + ": expected params to be a Float64Array of 6 elements");
    return false;
  }
  *dtype = static_cast<Dtype>(static_cast<int>(code));
  fill->kind = static_cast<Kind>(static_cast<int>(kind));
  const double* param = static_cast<const double*>(view.data);
  for (int i = 0; i < kMaxParams; ++i) fill->param[i] = param[i];
  return true;
}

bool GetThreads(napi_env env, const char* fn, napi_value value, int* threads) {
  double count;
  if (!GetWhole(env, value, 0, kMaxThreads, &count)) {
    ThrowRange(env, std::string(fn) + ": expected threads to be a whole number from 0 to 1024");
    return false;
  }
  *threads = count == 0 ? GetNumThreads() : static_cast<int>(count);
  return true;
}

bool GetWriters(napi_env env, const char* fn, napi_value elements, napi_value threads, Range* range) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, elements, &type);
  if (type == napi_undefined) return true;
  double count;
  double writers;
  if (!GetWhole(env, elements, 0, 0x1p53, &count) || !GetWhole(env, threads, 1, kMaxThreads, &writers)) {
    ThrowRange(env, std::string(fn) + ": expected at most 2^53 elements and 1024 threads to be at work at once");
    return false;
  }
  if (ExceedsCaches(static_cast<size_t>(count), DtypeBytes(range->dtype))) range->writers = static_cast<int>(writers);
  return true;
}

bool GetCancel(napi_env env, const char* fn, napi_value value, CancelFlag* cancel) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_undefined) return true;
  View word;
  if (!GetView(env, value, &word) || word.type != napi_int32_array || word.length != 1) {
    ThrowType(env, std::string(fn) + ": expected cancel to be an Int32Array of 1 element");
    return false;
  }
  *cancel = CancelFlag(static_cast<const int32_t*>(word.data));
  return true;
}

napi_value ThrowType(napi_env env, const std::string& message) {
  napi_throw_type_error(env, nullptr, message.c_str());
  return nullptr;
}

napi_value ThrowRange(napi_env env, const std::string& message) {
  napi_throw_range_error(env, nullptr, message.c_str());
  return nullptr;
}

void Export(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

}  // namespace nninit
