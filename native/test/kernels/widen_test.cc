#include "kernels/widen.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "test/support.h"
#include "types/widen.h"

namespace nninit {
namespace {

TEST_CASE("all 16-bit values are widened to the same bits on every target, in vectors and behind them") {
  std::vector<uint16_t> all(65536 + 37);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  for (const Dtype dtype : {Dtype::kFloat16, Dtype::kBFloat16}) {
    std::vector<uint32_t> expected(all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      const float value = WidenOne(all[i], dtype);
      std::memcpy(&expected[i], &value, sizeof value);
    }
    test::ForEachTarget([&](const std::string&) {
      for (const size_t begin : {0, 1, 65500}) {
        std::vector<uint32_t> wide(all.size() - begin);
        Widen(all.data() + begin, wide.size(), dtype, reinterpret_cast<float*>(wide.data()));
        CHECK(std::memcmp(wide.data(), expected.data() + begin, wide.size() * sizeof(uint32_t)) == 0);
      }
    });
  }
}

}  // namespace
}  // namespace nninit
