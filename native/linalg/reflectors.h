// Householder reflections, gathered into blocks.
#ifndef NNINIT_LINALG_REFLECTORS_H_
#define NNINIT_LINALG_REFLECTORS_H_

#include <cstddef>

namespace nninit {

// The most reflectors in a block, and columns in a panel.
constexpr size_t kBlock = 48;
constexpr size_t kPanel = 64;

// Rows that are worked on between looks at the flag that cancels: well under a millisecond's worth of a column. What is
// made after it was set is of no use, and need not be complete.
constexpr size_t kStretchRows = 4096;

// Rows of a block that stay in the second-level cache while all its reflectors are made.
constexpr size_t kChunkRows = 1024;

// Up to kBlock reflections of vectors that begin in consecutive rows, as one: H_first·H_(first+1)·… = I − V·T·Vᵀ.
template <class T>
struct ReflectorBlock {
  size_t first;   // row and number of the first reflector
  size_t length;  // rows from there to the end
  size_t count;   // reflectors
  T* v;           // length × count, row-major; unit lower trapezoid
  T* t;           // kBlock × kBlock, row-major; upper triangle, zero beyond `count`
};

// I − tau·v·vᵀ, where v is x·scale but for its first element, 1: the reflection of x onto its first axis. `sign` is
// that of the number that x becomes, R's diagonal.
struct Reflection {
  double tau;
  double scale;
  double sign;
};

}  // namespace nninit

#endif  // NNINIT_LINALG_REFLECTORS_H_
