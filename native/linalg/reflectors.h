// Householder reflections, gathered into blocks.
#ifndef NNINIT_LINALG_REFLECTORS_H_
#define NNINIT_LINALG_REFLECTORS_H_

#include <cmath>
#include <cstddef>
#include <cstring>

namespace nninit {

// Reflectors in a block, columns in a panel.
constexpr size_t kBlock = 48;
constexpr size_t kPanel = 64;

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
void Clear(const ReflectorBlock<T>& block) {
  std::memset(block.v, 0, block.length * kBlock * sizeof(T));
  std::memset(block.t, 0, kBlock * kBlock * sizeof(T));
}

// Σ x², in sixteen interleaved sums that the compiler can keep in vectors without changing their order.
template <class T>
double SquaredNorm(const T* x, size_t count) {
  double sums[16] = {};
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (size_t j = 0; j < 16; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  double total = 0;
  for (; i < count; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
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
Reflection<T> AddReflector(const ReflectorBlock<T>& block, size_t c, const T* x) {
  const size_t length = block.length - c;
  const double alpha = static_cast<double>(x[0]);
  const double rest = SquaredNorm(x + 1, length - 1);
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
  for (size_t i = 1; i < length; ++i) column[i * kBlock] = static_cast<T>(static_cast<double>(x[i]) * scale);
  // T's new column is −tau·T·(Vᵀ·v), with tau on the diagonal.
  double dots[kBlock] = {};
  for (size_t i = 0; i < length; ++i) {
    const double vi = static_cast<double>(column[i * kBlock]);
    const T* row = block.v + (c + i) * kBlock;
    for (size_t j = 0; j < c; ++j) dots[j] += static_cast<double>(row[j]) * vi;
  }
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
