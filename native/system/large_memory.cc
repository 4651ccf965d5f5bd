#include "system/large_memory.h"

#include <algorithm>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace nninit {

void AskForHugePages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr size_t kLeastBytes = size_t{4} << 20;
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
  if (bytes < kLeastBytes) return;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t last = (begin + bytes) / kHugePage * kHugePage;
  // Only advice: a kernel that refuses it leaves everything as it was.
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

bool ExceedsCaches(size_t count, size_t element_bytes) {
  // Virtual machines may be told of the whole socket's cache; 32 MiB is what a group of cores shares on common servers.
  static constexpr size_t kMost = size_t{32} << 20;
  static const size_t bytes = [] {
#if defined(_SC_LEVEL3_CACHE_SIZE)
    const long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (size > 0) return std::min(static_cast<size_t>(size), kMost);
#endif
    return kMost;
  }();
  return count > bytes / 4 * 3 / element_bytes;
}

Range Prepare(const Range& range, int threads) {
  AskForHugePages(range.data, range.Bytes());
  Range prepared = range;
  if (ExceedsCaches(range.count, DtypeBytes(range.dtype))) prepared.writers = std::max(range.writers, threads);
  return prepared;
}

}  // namespace nninit
