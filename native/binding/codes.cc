// fillCodes, encode, decode and packWords: values of 8 bits and less.
#include "kernels/codes.h"

#include <algorithm>
#include <cmath>

#include "binding/arguments.h"
#include "fill/check.h"
#include "fill/codes.h"
#include "system/float_environment.h"

namespace nninit {
namespace {

Grid NextGrid(Arguments* arguments) { return static_cast<Grid>(arguments->NextWhole("grid", 0, kGrids - 1)); }

// The grid, then factor, low, high and zero.
Encoding NextEncoding(Arguments* arguments) {
  const Grid grid = NextGrid(arguments);
  const auto* n = static_cast<const double*>(
      arguments->NextArray(napi_float64_array, 4, "encoding to be a Float64Array of 4 elements"));
  for (int i = 0; i < 4; ++i) {
    if (!std::isfinite(n[i])) throw RangeError(Refusal("finite numbers of an encoding", n[i]));
  }
  if (!(std::fabs(n[3]) <= 255 && n[3] == std::floor(n[3]))) throw RangeError(Refusal("a small whole zero", n[3]));
  return {grid, static_cast<float>(n[0]), static_cast<float>(n[1]), static_cast<float>(n[2]),
          static_cast<int32_t>(n[3])};
}

struct Bytes {
  uint8_t* data;
  size_t length;
};

Bytes NextBytes(Arguments* arguments, const char* name) {
  const TypedArray array = arguments->NextTypedArray(name);
  if (array.type != napi_uint8_array) throw TypeError(std::string("expected ") + name + " to be a Uint8Array");
  return {static_cast<uint8_t*>(array.data), array.length};
}

size_t CodesIn(size_t bytes, Grid grid) { return bytes * (8 / static_cast<size_t>(GridBits(grid))); }

// fillCodes(out, grid, encoding[, cancel]): true, or false if cancelled
Napi::Value FillCodesOf(Arguments& arguments) {
  const Request request = arguments.ReadRequest();
  const Bytes out = NextBytes(&arguments, "out");
  const Encoding encoding = NextEncoding(&arguments);
  const Fill fill = request.ReadFill();
  const uint64_t begin = request.ReadBegin();
  const int threads = request.ReadThreads();
  const CancelFlag cancel = arguments.NextCancelFlag();
  const auto elementwise = As<ElementwiseFill>(fill);
  if (!elementwise) throw RangeError("expected a fill of elements that do not depend on one another");
  const size_t count = CodesIn(out.length, encoding.grid);
  if (GridBits(encoding.grid) == 4 && begin % 2 != 0) throw RangeError("expected begin to be even");
  ThrowRefusal(CheckFill(fill, {out.data, Dtype::kFloat32, begin, count}));
  return arguments.Result(
      FillCodes(*elementwise, request.ReadKey(), encoding, begin, count, out.data, threads, cancel));
}

// encode(values, grid, encoding, out, apart): codes as they are stored, or one a byte
Napi::Value EncodeValues(Arguments& arguments) {
  const TypedArray values = arguments.NextTypedArray("values");
  const Encoding encoding = NextEncoding(&arguments);
  const Bytes out = NextBytes(&arguments, "out");
  const bool apart = arguments.NextBoolean("apart");
  if (values.type != napi_float32_array) throw TypeError("expected values to be a Float32Array");
  if (values.length != (apart ? out.length : CodesIn(out.length, encoding.grid))) {
    throw RangeError("expected out to hold the codes of all values");
  }
  const DefaultFloatEnvironment environment;
  (apart ? EncodeBytes : Encode)(static_cast<const float*>(values.data), values.length, encoding, out.data);
  return Arguments::Result();
}

// decode(codes, grid, out): stored codes to their values
Napi::Value DecodeCodes(Arguments& arguments) {
  const Bytes codes = NextBytes(&arguments, "codes");
  const Grid grid = NextGrid(&arguments);
  void* out = arguments.NextArray(napi_float32_array, CodesIn(codes.length, grid), "out to be a Float32Array for all");
  Decode(codes.data, CodesIn(codes.length, grid), grid, static_cast<float*>(out));
  return Arguments::Result();
}

// packWords(codes, layout, out): eight codes of 4 bits a word, or four of 8
Napi::Value PackWordsOf(Arguments& arguments) {
  const Bytes codes = NextBytes(&arguments, "codes");
  const auto* n = static_cast<const double*>(
      arguments.NextArray(napi_float64_array, 14, "layout to be a Float64Array of 14 elements"));
  uint64_t whole[14];
  for (int i = 0; i < 14; ++i) {
    whole[i] = WholeNumber(n[i], "a layout of whole numbers");
    // Products and sums below stay within 2^64.
    if (whole[i] >> 31 != 0) throw RangeError("expected a layout of numbers below 2^31");
  }
  WordLayout layout{whole[0], whole[1], whole[2], whole[3], whole[4], whole[5], {}};
  std::copy_n(whole + 6, 8, layout.code_step);
  if (layout.bits != 4 && layout.bits != 8) throw RangeError("expected codes of 4 or 8 bits");
  const TypedArray out = arguments.NextTypedArray("out");
  if (out.type != napi_uint32_array) throw TypeError("expected out to be a Uint32Array");
  if (layout.rows == 0 || layout.row_words == 0) return Arguments::Result();
  const uint64_t rows = layout.rows - 1, words = layout.row_words - 1;
  const uint64_t code = rows * layout.row_step + words * layout.word_step + *std::max_element(whole + 6, whole + 14);
  if (code >= codes.length) throw RangeError("expected codes of all words");
  if (rows * layout.out_step + words >= out.length) throw RangeError("expected out to hold all words");
  PackWords(codes.data, layout, static_cast<uint32_t*>(out.data));
  return Arguments::Result();
}

constexpr Function kFunctions[] = {
    {"fillCodes", "native fillCodes", 3, FillCodesOf},
    {"encode", "native encode", 5, EncodeValues},
    {"decode", "native decode", 3, DecodeCodes},
    {"packWords", "native packWords", 3, PackWordsOf},
};

}  // namespace

void ExportCodes(Napi::Env env, Napi::Object exports) { Export(env, exports, kFunctions); }

}  // namespace nninit
