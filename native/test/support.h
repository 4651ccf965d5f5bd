// What the native tests share: running a fill into a vector, on every target.
#ifndef NNINIT_TEST_SUPPORT_H_
#define NNINIT_TEST_SUPPORT_H_

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "fill/check.h"
#include "fill/run.h"
#include "system/targets.h"
#include "types/fill.h"
#include "types/widen.h"

namespace nninit::test {

// The larger of two errors. std::max would pass over NaN, which is as wrong as can be: no bound holds for it.
template <class T>
T Worse(T worst, T error) {
  return std::isnan(worst) || error <= worst ? worst : error;
}

constexpr Dtype kAllDtypes[] = {Dtype::kFloat32, Dtype::kFloat64, Dtype::kFloat16, Dtype::kBFloat16};

inline std::vector<uint8_t> Run(const Fill& fill, const Key& key, Dtype dtype, size_t count, uint64_t begin = 0,
                                int threads = 1) {
  std::vector<uint8_t> bytes(count * DtypeBytes(dtype) + 1, 0xA5);  // one guard byte
  const Range range{bytes.data(), dtype, begin, count};
  REQUIRE(CheckFill(fill, range) == "");
  RunFill(fill, key, range, threads);
  REQUIRE(bytes.back() == 0xA5);
  bytes.pop_back();
  return bytes;
}

// Elements of a whole-matrix fill.
template <class Kinds>
size_t MatrixElements(const Kinds& fill) {
  return std::visit(Overloaded{
                        [](const OrthogonalFill& matrix) { return matrix.rows * matrix.cols * matrix.stride; },
                        [](const SparseFill& matrix) { return matrix.rows * matrix.cols; },
                        [](const auto& /*other*/) { return uint64_t{0}; },
                    },
                    fill);
}

inline double ValueAt(const std::vector<uint8_t>& bytes, Dtype dtype, size_t i) {
  const uint8_t* at = bytes.data() + i * DtypeBytes(dtype);
  if (dtype == Dtype::kFloat64) {
    double x;
    std::memcpy(&x, at, sizeof x);
    return x;
  }
  if (dtype == Dtype::kFloat32) {
    float x;
    std::memcpy(&x, at, sizeof x);
    return static_cast<double>(x);
  }
  uint16_t x;
  std::memcpy(&x, at, sizeof x);
  return static_cast<double>(WidenOne(x, dtype));
}

inline std::vector<double> Values(const Fill& fill, const Key& key, Dtype dtype, size_t count, uint64_t begin = 0) {
  const auto bytes = Run(fill, key, dtype, count, begin);
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = ValueAt(bytes, dtype, i);
  return values;
}

// Runs body(name) under each target this machine has, then restores the best.
template <class Body>
void ForEachTarget(const Body& body) {
  for (const std::string& name : Targets()) {
    REQUIRE(ForceTarget(name));
    REQUIRE(Target() == name);
    body(name);
  }
  ForceTarget("");
}

}  // namespace nninit::test

#endif  // NNINIT_TEST_SUPPORT_H_
