#ifndef NNINIT_SYSTEM_LARGE_MEMORY_H_
#define NNINIT_SYSTEM_LARGE_MEMORY_H_

#include <cstddef>

#include "types/range.h"

namespace nninit {

// Asks for huge pages under memory of 4 MiB and more, before it is first written to. The first write to a fresh page
// costs more than filling it, and with huge pages there are 512 times fewer; on memory that has its pages already, or
// cannot have huge ones, asking changes nothing.
void AskForHugePages(void* data, size_t bytes);

// Whether so many elements are more than three quarters of the last-level cache, which others use too. They are written
// around it: reading each line before overwriting it would cost as much as writing it, and by the end the beginning
// would be gone from there anyway.
bool ExceedsCaches(size_t count, size_t element_bytes);

// A range that `threads` threads will fill, with both looked after.
Range Prepare(const Range& range, int threads);

}  // namespace nninit

#endif  // NNINIT_SYSTEM_LARGE_MEMORY_H_
