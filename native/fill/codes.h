// Fills of the default engine, as codes of a grid.
#ifndef NNINIT_FILL_CODES_H_
#define NNINIT_FILL_CODES_H_

#include <cstddef>
#include <cstdint>

#include "random/philox.h"
#include "system/cancel_flag.h"
#include "types/fill.h"
#include "types/grid.h"

namespace nninit {

// Writes the codes of elements [begin, begin + count) of a checked fill of float32, on up to `threads` threads; false
// if it was cancelled, which leaves them partly written. Codes of 4 bits begin and end with whole bytes.
bool FillCodes(const ElementwiseFill& fill, const Key& key, const Encoding& encoding, uint64_t begin, size_t count,
               uint8_t* out, int threads, const CancelFlag& cancel = CancelFlag());

}  // namespace nninit

#endif  // NNINIT_FILL_CODES_H_
