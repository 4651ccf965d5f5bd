// What is done to the columns that reflections are made of. Every sum runs in one order on every target.
#ifndef NNINIT_LINALG_COLUMNS_H_
#define NNINIT_LINALG_COLUMNS_H_

#include <cstddef>

#include "linalg/reflectors.h"
#include "system/cancel_flag.h"

namespace nninit {

// Σ x·y of elements that come piece by piece, in sixteen interleaved sums; all pieces but the last are multiples of 16.
class DotProduct {
 public:
  void Add(const float* x, const float* y, size_t count);
  void Add(const double* x, const double* y, size_t count);
  double Total() const;

 private:
  alignas(64) double sums_[16] = {};
  double rest_ = 0;
};

// The reflection of a vector that begins with `alpha`; `rest` is the sum of the other elements' squares.
Reflection ReflectionOf(double alpha, double rest);

// to[i·stride] = x[i]·scale.
void ScaleColumn(const float* x, size_t count, double scale, float* to, size_t stride);
void ScaleColumn(const double* x, size_t count, double scale, double* to, size_t stride);

// x −= factor·v.
void SubtractColumn(double factor, const float* v, size_t count, float* x);
void SubtractColumn(double factor, const double* v, size_t count, double* x);

// T of a block whose V is there is made of the products of V's columns, VᵀV. This makes the products for part `part` of
// `parts`, which take equally long, to products[c·kBlock + j] for j < c.
constexpr size_t kProducts = kBlock * kBlock;
void ColumnProducts(const ReflectorBlock<float>& block, size_t part, size_t parts, double* products,
                    const CancelFlag& cancel);
void ColumnProducts(const ReflectorBlock<double>& block, size_t part, size_t parts, double* products,
                    const CancelFlag& cancel);

// Fills in T, all of it.
template <class T>
void MakeTriangle(const ReflectorBlock<T>& block, const Reflection* reflections, const double* products) {
  for (size_t i = 0; i < kBlock * kBlock; ++i) block.t[i] = 0;
  for (size_t c = 0; c < block.count; ++c) {
    // The new column is −tau·T·(Vᵀ·v), with tau on the diagonal.
    const double tau = reflections[c].tau;
    for (size_t r = 0; r < c; ++r) {
      double sum = 0;
      for (size_t j = r; j < c; ++j) sum += static_cast<double>(block.t[r * kBlock + j]) * products[c * kBlock + j];
      block.t[r * kBlock + c] = static_cast<T>(-tau * sum);
    }
    block.t[c * kBlock + c] = static_cast<T>(tau);
  }
}

}  // namespace nninit

#endif  // NNINIT_LINALG_COLUMNS_H_
