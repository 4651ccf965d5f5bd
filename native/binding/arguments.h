// What the doors share: every function that JavaScript can call checks what it is handed, since JavaScript can hand
// over anything; TypeScript has the friendlier messages.
#ifndef NNINIT_BINDING_ARGUMENTS_H_
#define NNINIT_BINDING_ARGUMENTS_H_

#include <node_api.h>

#include <cstddef>
#include <exception>
#include <new>
#include <string>

#include "system/cancel_flag.h"
#include "types/fill.h"

namespace nninit {

struct View {
  void* data = nullptr;
  size_t length = 0;  // elements
  napi_typedarray_type type = napi_int8_array;
};

// The memory behind a typed array, asked for anew at every call. A detached array has length 0.
bool GetView(napi_env env, napi_value value, View* view);

// The same, and whether its type holds elements of the dtype; throws for `fn` otherwise.
bool GetData(napi_env env, const char* fn, napi_value value, Dtype dtype, View* view);

bool GetNumber(napi_env env, napi_value value, double* number);

// A whole number in [low, high].
bool GetWhole(napi_env env, napi_value value, double low, double high, double* number);

// The dtype's code, the kind's code and the parameters of a fill; throws for `fn` and returns false if they are none.
bool GetFill(napi_env env, const char* fn, napi_value dtype_code, napi_value kind_code, napi_value params, Dtype* dtype,
             Fill* fill);

// Number of threads, 0 standing for the number that set_num_threads set; throws for `fn` otherwise.
bool GetThreads(napi_env env, const char* fn, napi_value value, int* threads);

// How many elements are being filled at once, and by how many threads; undefined if it is only these. Throws for `fn`
// otherwise.
bool GetWriters(napi_env env, const char* fn, napi_value elements, napi_value threads, Range* range);

// undefined, or an Int32Array of one element; throws for `fn` otherwise.
bool GetCancel(napi_env env, const char* fn, napi_value value, CancelFlag* cancel);

napi_value ThrowType(napi_env env, const std::string& message);
napi_value ThrowRange(napi_env env, const std::string& message);

void Export(napi_env env, napi_value exports, const char* name, napi_callback callback);

// The doors, one for each file.
void ExportFill(napi_env env, napi_value exports);
void ExportRuns(napi_env env, napi_value exports);
void ExportTorch(napi_env env, napi_value exports);

// Calls work() and turns what it throws into an exception of JavaScript's; false if it threw.
template <class Work>
bool Guard(napi_env env, const char* fn, const Work& work) {
  try {
    work();
    return true;
  } catch (const std::bad_alloc&) {
    const std::string message = std::string(fn) + ": not enough memory to work in";
    napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", message.c_str());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return false;
}

}  // namespace nninit

#endif  // NNINIT_BINDING_ARGUMENTS_H_
