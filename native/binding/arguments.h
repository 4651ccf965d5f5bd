// How functions that JavaScript calls read what it hands them: anything. TypeScript has the friendlier messages.
#ifndef NNINIT_BINDING_ARGUMENTS_H_
#define NNINIT_BINDING_ARGUMENTS_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "binding/request.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Thrown anywhere within such a function, they reach JavaScript as its errors of these names.
struct TypeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct RangeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The largest whole number that JavaScript has, and with it the largest index.
constexpr uint64_t kMaxIndex = (uint64_t{1} << 53) - 1;

// A typed array's memory, asked for anew at every call. A detached array has length 0.
struct TypedArray {
  void* data = nullptr;
  size_t length = 0;  // elements
  napi_typedarray_type type = napi_int8_array;
};

// The arguments of one call, read one after the other. Each function checks the next one, and throws if it is wrong.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  // Whether the next one is left out; then it is passed over.
  bool Skip();

  bool NextBoolean(const char* name);
  uint64_t NextBigInt(const char* name);
  // An empty one for what is no string.
  std::string NextString();
  // A whole number in [least, most].
  uint64_t NextWhole(const char* name, uint64_t least, uint64_t most);

  TypedArray NextTypedArray(const char* name);
  // The memory of one of a type and length; `expected` says what it should be.
  void* NextArray(napi_typedarray_type type, size_t length, const char* expected);

  // A tensor's typed array: the range that it is from index 0 on.
  Range NextData(Dtype dtype) { return RangeOf(NextTypedArray("data"), dtype); }
  static Range RangeOf(const TypedArray& array, Dtype dtype);
  CancelFlag NextCancelFlag();

  // What this call asks for in numbers.
  Request ReadRequest() const;
  // Takes the memory of these numbers over, unless it was done before. Returns the array that is in use.
  Napi::Value ShareRequest();

  // Tells JavaScript's garbage collector of memory that it cannot see: more of it, or less.
  void Account(int64_t bytes) const { Napi::MemoryManagement::AdjustExternalMemory(info_.Env(), bytes); }

  Napi::Value Result(bool value) const;
  Napi::Value Result(double value) const;
  Napi::Value Result(const std::string& value) const;
  Napi::Value Result(const std::vector<std::string>& values) const;
  // undefined.
  static Napi::Value Result() { return {}; }
  // A promise of the number that `work` will give, on one of Node.js's threads for what takes long.
  Napi::Value Later(std::function<int()> work) const;

 private:
  // undefined for one that is left out.
  Napi::Value Next() { return info_[next_++]; }

  const Napi::CallbackInfo& info_;
  size_t next_ = 0;
};

// A whole number in [least, most]; throws for any other.
uint64_t WholeIn(double number, const char* name, uint64_t least, uint64_t most);

// A whole number below 2^53 that came in an array; throws, saying what was expected, if it is none.
uint64_t WholeNumber(double number, const char* expected);

// Throws a refusal, unless it is empty.
void ThrowRefusal(const std::string& refusal);

struct Function {
  const char* name;
  // What its messages begin with.
  const char* caller;
  // Arguments that may not be left out.
  size_t least;
  Napi::Value (*run)(Arguments& arguments);
};

// Makes functions properties of the addon. They are kept by reference.
void Export(Napi::Env env, Napi::Object exports, const Function* functions, size_t count);

template <size_t kCount>
void Export(Napi::Env env, Napi::Object exports, const Function (&functions)[kCount]) {
  Export(env, exports, functions, kCount);
}

// Those of each file.
void ExportCodes(Napi::Env env, Napi::Object exports);
void ExportFill(Napi::Env env, Napi::Object exports);
void ExportRuns(Napi::Env env, Napi::Object exports);
void ExportTorch(Napi::Env env, Napi::Object exports);

}  // namespace nninit

#endif  // NNINIT_BINDING_ARGUMENTS_H_
