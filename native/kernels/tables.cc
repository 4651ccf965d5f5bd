#include "kernels/tables.h"

#include <algorithm>

#include "kernels/elementary.h"
#include "kernels/store.h"

namespace nninit {
namespace {

// Calls make(column) for each column that the range touches, and stores what the result makes of each row there: what
// rows share is computed once a range.
template <class Make>
void ByColumns(uint64_t cols, const Range& range, const Make& make) {
  const size_t columns = static_cast<size_t>(std::min<uint64_t>(cols, range.count));
  for (size_t first = 0; first < columns; ++first) {
    const auto value = make((range.begin + first) % cols);
    uint64_t row = (range.begin + first) / cols;
    for (size_t i = first; i < range.count; i += static_cast<size_t>(cols), ++row) StoreOne(value(row), range, i);
  }
}

}  // namespace

void LogArangeRange(const LogArangeFill& fill, const Range& range) {
  ByColumns(fill.cols, range, [&](uint64_t column) {
    return [x = Log(fill.start + static_cast<double>(column))](uint64_t /*row*/) { return x; };
  });
}

void SinusoidRange(const SinusoidFill& fill, const Range& range) {
  const double rate = -Log(fill.base);
  const uint64_t half = (fill.cols + 1) / 2;
  ByColumns(fill.cols, range, [&](uint64_t column) {
    const bool cosine = fill.interleaved ? column % 2 == 1 : column >= half;
    const uint64_t pair = fill.interleaved ? column / 2 : column % half;
    const double frequency = Exp(rate * (2 * static_cast<double>(pair) / static_cast<double>(fill.denominator)));
    return [=](uint64_t row) { return SinCos(static_cast<double>(row) * frequency, cosine); };
  });
}

}  // namespace nninit
