// The door of libFuzzer: scripts/fuzz builds and runs it.
#include <cstdio>
#include <cstdlib>

#include "test/fuzz/one.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (const char* wrong = nninit::FuzzOne(bytes, size)) {
    std::fprintf(stderr, "%s\n", wrong);
    std::abort();
  }
  return 0;
}
