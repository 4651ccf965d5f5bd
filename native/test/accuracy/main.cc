// Sweeps the functions of math-inl.h and prints what docs/accuracy.md states: every float32 between the first and the
// last argument, and 2^28 float64 spread over them. Ends with 1 if an error is larger than kStated says.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "system/targets.h"
#include "test/accuracy/functions.h"

namespace nninit::test {
namespace {

constexpr size_t kAtOnce = size_t{1} << 16;

struct Found {
  double ulps = 0, relative = 0, at = 0;
  uint64_t arguments = 0;
};

// next(block, in) writes kAtOnce arguments and says how many of them count.
template <class T, class Next>
Found Sweep(Function function, uint64_t blocks, const Next& next) {
  std::vector<T> in(kAtOnce), out(kAtOnce), other(kAtOnce);
  Found found;
  const auto targets = Targets();
  for (uint64_t block = 0; block < blocks; ++block) {
    const size_t count = next(block, in.data());
    ForceTarget("");
    Evaluate(function, in.data(), kAtOnce, out.data());
    // The same bits on every target: one error to look at.
    for (const std::string& target : targets) {
      ForceTarget(target);
      Evaluate(function, in.data(), kAtOnce, other.data());
      if (std::memcmp(out.data(), other.data(), count * sizeof(T)) != 0) {
        std::printf("%s has other bits\n", target.c_str());
        std::exit(2);
      }
    }
    for (size_t i = 0; i < count; ++i) {
      const double ulps = ErrorUlps(function, in[i], out[i]);
      if (ulps > found.ulps) {
        found.ulps = ulps;
        found.at = static_cast<double>(in[i]);
      }
      int exponent = 0;
      const double mantissa = std::frexp(static_cast<double>(out[i]), &exponent);
      found.relative = std::max(found.relative, ulps * std::ldexp(1 / std::fabs(mantissa), sizeof(T) == 4 ? -24 : -53));
    }
  }
  return found;
}

Found SweepFloat(const Stated& stated) {
  uint32_t first, last;
  const auto from = static_cast<float>(stated.first), to = static_cast<float>(stated.last);
  std::memcpy(&first, &from, 4);
  std::memcpy(&last, &to, 4);
  const uint64_t all = uint64_t{last} - first + 1;
  Found found = Sweep<float>(stated.function, (all + kAtOnce - 1) / kAtOnce, [&](uint64_t block, float* in) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(kAtOnce, all - block * kAtOnce));
    for (size_t i = 0; i < kAtOnce; ++i) {
      const auto bits = static_cast<uint32_t>(first + std::min<uint64_t>(block * kAtOnce + i, all - 1));
      std::memcpy(in + i, &bits, 4);
    }
    return count;
  });
  found.arguments = all;
  return found;
}

// Half of them evenly, half as many in each binade.
Found SweepDouble(const Stated& stated) {
  std::mt19937_64 random(1);
  constexpr uint64_t kBlocks = (uint64_t{1} << 28) / kAtOnce;
  const double low = std::log2(stated.first), high = std::log2(stated.last);
  Found found = Sweep<double>(stated.function, kBlocks, [&](uint64_t block, double* in) {
    for (size_t i = 0; i < kAtOnce; ++i) {
      const double u = static_cast<double>(random() >> 11) * 0x1p-53;
      const double x =
          block % 2 == 0 ? stated.first + u * (stated.last - stated.first) : std::exp2(low + u * (high - low));
      in[i] = std::fmin(std::fmax(x, stated.first), stated.last);
    }
    return kAtOnce;
  });
  found.arguments = kBlocks * kAtOnce;
  return found;
}

int Main() {
  int wrong = 0;
  std::printf("| function | type | arguments | largest error, ulp | at | largest relative error |\n");
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
  for (const Stated& stated : kStated) {
    const Found found = stated.wide ? SweepDouble(stated) : SweepFloat(stated);
    std::printf("| %s | %s | %llu in [%g, %g] | %.4f | %a | %.3g |\n", stated.name, stated.wide ? "float64" : "float32",
                static_cast<unsigned long long>(found.arguments), stated.first, stated.last, found.ulps, found.at,
                found.relative);
    std::fflush(stdout);
    if (found.ulps > stated.ulps) ++wrong;
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nninit::test

int main() { return nninit::test::Main(); }
