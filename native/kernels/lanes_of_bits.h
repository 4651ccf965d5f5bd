// Which bits of a byte are set, as a table: masks of vectors to the numbers of their lanes.
#ifndef NNINIT_KERNELS_LANES_OF_BITS_H_
#define NNINIT_KERNELS_LANES_OF_BITS_H_

#include <cstdint>

namespace nninit {

struct LanesOfBits {
  constexpr LanesOfBits() {
    for (uint32_t bits = 0; bits < 256; ++bits) {
      for (uint8_t i = 0; i < 8; ++i) {
        if ((bits >> i & 1) != 0) lane[bits][count[bits]++] = i;
      }
    }
  }

  uint8_t lane[256][8] = {};  // in order, then zeros
  uint8_t count[256] = {};
};

inline constexpr LanesOfBits kLanesOfBits;

}  // namespace nninit

#endif  // NNINIT_KERNELS_LANES_OF_BITS_H_
