// Householder reflections, gathered into blocks.
#ifndef NNINIT_LINALG_REFLECTORS_H_
#define NNINIT_LINALG_REFLECTORS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "system/cancel_flag.h"

namespace nninit {

// Reflectors in a block, columns in a panel.
constexpr size_t kBlock = 48;
constexpr size_t kPanel = 64;

// Rows of a block that are worked on between looks at the flag that cancels: well under a millisecond's worth. What is
// made after it was set is of no use, and need not be complete.
constexpr size_t kStretchRows = 4096;

// kBlock reflections of vectors that begin in consecutive rows, as one: H_first·H_(first+1)·… = I − V·T·Vᵀ. A block
// with fewer reflectors has zero columns for the rest.
template <class T>
struct ReflectorBlock {
  size_t first;   // row and number of the first reflector
  size_t length;  // rows from there to the end
  T* v;           // length × kBlock, row-major; unit lower trapezoid
  T* t;           // kBlock × kBlock, row-major; upper triangle
};

template <class T>
void Clear(const ReflectorBlock<T>& block, const CancelFlag& cancel) {
  ClearMemory(block.v, block.length * kBlock * sizeof(T), cancel);
  std::memset(block.t, 0, kBlock * kBlock * sizeof(T));
}

// Σ x·y, in sixteen interleaved sums that the compiler can keep in vectors without changing their order.
template <class T>
double Dot(const T* x, const T* y, size_t count, const CancelFlag& cancel) {
  static_assert(kStretchRows % 16 == 0, "stretches keep the order of the sums");
  double sums[16] = {};
  const size_t whole = count / 16 * 16;
  InStretches(whole, kStretchRows, cancel, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; i += 16) {
      for (size_t j = 0; j < 16; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
    }
  });
  double total = 0;
  for (size_t i = whole; i < count; ++i) total += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  for (double sum : sums) total += sum;
  return total;
}

// I − tau·v·vᵀ; `sign` is that of the number that the vector becomes, R's diagonal.
template <class T>
struct Reflection {
  double tau;
  T sign;
};

// Puts the reflection of x, of length block.length − c, onto its first axis into column c of a block, whose columns
// before are there already.
template <class T>
Reflection<T> AddReflector(const ReflectorBlock<T>& block, size_t c, const T* x, const CancelFlag& cancel) {
  const size_t length = block.length - c;
  const double alpha = static_cast<double>(x[0]);
  const double rest = Dot(x + 1, x + 1, length - 1, cancel);
  double beta = alpha;
  double tau = 0;
  double scale = 0;
  if (rest > 0) {
    beta = alpha >= 0 ? -std::sqrt(alpha * alpha + rest) : std::sqrt(alpha * alpha + rest);
    tau = (beta - alpha) / beta;
    scale = 1 / (alpha - beta);
  }
  T* column = block.v + c * kBlock + c;
  column[0] = T{1};
  InStretches(length, kStretchRows, cancel, [&](size_t begin, size_t end) {
    for (size_t i = std::max<size_t>(begin, 1); i < end; ++i) {
      column[i * kBlock] = static_cast<T>(static_cast<double>(x[i]) * scale);
    }
  });
  // T's new column is −tau·T·(Vᵀ·v), with tau on the diagonal.
  double dots[kBlock] = {};
  InStretches(length, kStretchRows, cancel, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const double vi = static_cast<double>(column[i * kBlock]);
      const T* row = block.v + (c + i) * kBlock;
      for (size_t j = 0; j < c; ++j) dots[j] += static_cast<double>(row[j]) * vi;
    }
  });
  for (size_t r = 0; r < c; ++r) {
    double sum = 0;
    for (size_t j = r; j < c; ++j) sum += static_cast<double>(block.t[r * kBlock + j]) * dots[j];
    block.t[r * kBlock + c] = static_cast<T>(-tau * sum);
  }
  block.t[c * kBlock + c] = static_cast<T>(tau);
  return {tau, static_cast<T>(beta < 0 ? -1 : 1)};
}

}  // namespace nninit

#endif  // NNINIT_LINALG_REFLECTORS_H_
