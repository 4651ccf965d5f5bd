// Values that depend on the element's place alone.
#ifndef NNINIT_KERNELS_TABLES_H_
#define NNINIT_KERNELS_TABLES_H_

#include "types/fill.h"
#include "types/range.h"

namespace nninit {

void LogArangeRange(const LogArangeFill& fill, const Range& range);
void SinusoidRange(const SinusoidFill& fill, const Range& range);

}  // namespace nninit

#endif  // NNINIT_KERNELS_TABLES_H_
