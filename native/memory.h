#ifndef NNINIT_MEMORY_H_
#define NNINIT_MEMORY_H_

#include <cstddef>

namespace nninit {

// Asks for huge pages under memory of 4 MiB and more, before it is first written to. The first write to a fresh page
// costs more than filling it, and with huge pages there are 512 times fewer; on memory that has its pages already, or
// cannot have huge ones, asking changes nothing.
void AskForHugePages(void* data, size_t bytes);

// Constants larger than this are written around the caches: reading each line before overwriting it would cost as much
// as writing it, and by the end the beginning would be gone from the caches anyway. It is the size of the last-level
// cache.
size_t CacheBytes();

}  // namespace nninit

#endif  // NNINIT_MEMORY_H_
