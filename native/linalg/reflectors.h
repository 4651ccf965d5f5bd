#ifndef NNINIT_LINALG_REFLECTORS_H_
#define NNINIT_LINALG_REFLECTORS_H_

#include <cstddef>

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

}  // namespace nninit

#endif  // NNINIT_LINALG_REFLECTORS_H_
