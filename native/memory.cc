#include "memory.h"

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

size_t CacheBytes() {
  static const size_t bytes = [] {
#if defined(_SC_LEVEL3_CACHE_SIZE)
    const long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (size > 0) return static_cast<size_t>(size);
#endif
    return size_t{32} << 20;  // where the system does not say: what servers have
  }();
  return bytes;
}

}  // namespace nninit
