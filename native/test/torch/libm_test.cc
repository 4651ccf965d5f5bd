// scripts/accuracy --libm compares with the C library itself, on more arguments.
#include <doctest/doctest.h>

#include <cstring>

#include "test/accuracy/libm.h"
#include "test/support.h"

namespace nninit {
namespace {

using test::Libm;

constexpr size_t kCount = size_t{1} << 17;

uint64_t Hash(const std::vector<double>& values) {  // FNV-1a, by words
  uint64_t hash = 0xCBF29CE484222325u;
  for (const double value : values) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    hash = (hash ^ bits) * 0x100000001B3u;
  }
  return hash;
}

std::vector<double> Arguments(Libm function) {
  std::vector<double> in(kCount);
  test::LibmArguments(function).Next(kCount, in.data());
  return in;
}

TEST_CASE("logarithm, sine and cosine have glibc's bits on every target") {
  // Recorded from glibc 2.36 on x86-64 with FMA.
  const struct {
    Libm function;
    uint64_t hash;
  } recorded[] = {{Libm::kLog, 0x5A92A87918497F38u},
                  {Libm::kLog1p, 0x4578390CFE40B5E3u},
                  {Libm::kSin, 0x86D8D620EB2AC093u},
                  {Libm::kCos, 0xB417085EB68A7069u}};
  for (const auto& each : recorded) {
    CAPTURE(static_cast<int>(each.function));
    const std::vector<double> in = Arguments(each.function);
    test::ForEachTarget([&](const std::string& target) {
      CAPTURE(target);
      std::vector<double> out(kCount);
      test::OurLibm(each.function, in.data(), kCount, out.data());
      CHECK(Hash(out) == each.hash);
    });
  }
}

TEST_CASE("the ends of what uniforms lead to") {
  test::ForEachTarget([&](const std::string& target) {
    CAPTURE(target);
    const auto at = [](Libm function, double x) {
      const std::vector<double> in(8, x);
      std::vector<double> out(8);
      test::OurLibm(function, in.data(), 8, out.data());
      return out[7];
    };
    const auto is = test::SameBits;
    // Signs of zero, too: they decide the sign of a radius.
    CHECK(is(at(Libm::kLog, 1), 0.0));
    CHECK(is(at(Libm::kLog1p, -0.0), -0.0));
    CHECK(is(at(Libm::kSin, 0), 0.0));
    CHECK(is(at(Libm::kCos, 0), 1.0));
    CHECK(is(at(Libm::kLog, 0x1p-53), -0x1.25e4f7b2737fap+5));
    CHECK(is(at(Libm::kLog1p, 0x1p-53 - 1), -0x1.25e4f7b2737fap+5));
    CHECK(is(at(Libm::kLog1p, -0x1p-53), -0x1p-53));
    CHECK(is(at(Libm::kSin, 0x1.921fb54442d18p+2), -0x1.1a62633145c07p-52));
    CHECK(is(at(Libm::kCos, 0x1.921fb54442d18p+2), 1.0));
  });
}

}  // namespace
}  // namespace nninit
