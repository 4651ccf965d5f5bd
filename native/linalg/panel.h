// A panel of columns of a product of reflections.
#ifndef NNINIT_LINALG_PANEL_H_
#define NNINIT_LINALG_PANEL_H_

#include <cstddef>
#include <vector>

#include "linalg/orthogonal.h"
#include "linalg/reflectors.h"

namespace nninit {

// Where a panel of columns [first, first + kPanel) of Q goes.
template <class T>
struct PanelOutput {
  const OrthogonalFill* fill;
  bool transposed;  // the columns of Q are rows of the result
  size_t long_side;
  size_t columns;
  const T* scale;  // sign·gain of each column of Q
  const T* top;    // the upper triangle's rows of the V of a single block
  const Range* range;
  const CancelFlag* cancel;
};

// Writes columns [first, first + kPanel) of Q = H_1·H_2·…·I, as far as there are, times out.scale. `panel` has room for
// long_side × kPanel, `work` for 2·kBlock × kPanel elements, both aligned for vectors.
void WritePanel(const std::vector<ReflectorBlock<float>>& blocks, const PanelOutput<float>& out, size_t first,
                float* panel, float* work);
void WritePanel(const std::vector<ReflectorBlock<double>>& blocks, const PanelOutput<double>& out, size_t first,
                double* panel, double* work);

// Writes rows [begin, begin + rows) of a Q of one block, likewise; they may replace the block's own. `work` has room
// for kRowsWork elements.
constexpr size_t kRowsWork = (2 * kBlock + 256) * kBlock;
void WriteRows(const ReflectorBlock<float>& block, const PanelOutput<float>& out, size_t begin, size_t rows,
               float* work);
void WriteRows(const ReflectorBlock<double>& block, const PanelOutput<double>& out, size_t begin, size_t rows,
               double* work);

// Applies one block, I − V·T·Vᵀ, to a panel whose first row is the block's. `work` as above.
void ApplyReflectors(const ReflectorBlock<float>& block, float* panel, float* work, const CancelFlag& cancel);
void ApplyReflectors(const ReflectorBlock<double>& block, double* panel, double* work, const CancelFlag& cancel);

}  // namespace nninit

#endif  // NNINIT_LINALG_PANEL_H_
