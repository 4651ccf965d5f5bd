// Compares the functions of libm-inl.h with the C library of this machine, on 10^9 arguments each or as many as are
// asked for. Ends with 1 if a bit differs.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "test/accuracy/libm.h"

namespace nninit::test {
namespace {

constexpr size_t kAtOnce = 4096;

uint64_t Differences(Libm function, uint64_t arguments) {
  LibmArguments sequence(function);
  std::vector<double> in(kAtOnce), out(kAtOnce);
  uint64_t found = 0;
  for (uint64_t block = 0; block < arguments / kAtOnce; ++block) {
    sequence.Next(kAtOnce, in.data());
    OurLibm(function, in.data(), kAtOnce, out.data());
    for (size_t i = 0; i < kAtOnce; ++i) {
      const double theirs = SystemLibm(function, in[i]);
      if (SameBits(theirs, out[i])) continue;
      if (++found <= 3) std::fprintf(stderr, "at %a: %a, the C library's %a\n", in[i], out[i], theirs);
    }
  }
  return found;
}

int Main(uint64_t arguments) {
  const struct {
    const char* name;
    Libm function;
  } functions[] = {{"log", Libm::kLog}, {"log1p", Libm::kLog1p}, {"sin", Libm::kSin}, {"cos", Libm::kCos}};
  std::printf("| function | arguments | bits that differ from the C library's |\n| --- | --- | --- |\n");
  uint64_t all = 0;
  for (const auto& [name, function] : functions) {
    const uint64_t found = Differences(function, arguments);
    const uint64_t tried = arguments / kAtOnce * kAtOnce;
    std::printf("| %s | %llu | %llu |\n", name, static_cast<unsigned long long>(tried),
                static_cast<unsigned long long>(found));
    std::fflush(stdout);
    all += found;
  }
  return all == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nninit::test

int main(int count, char** words) {
  return nninit::test::Main(count > 1 ? std::strtoull(words[1], nullptr, 10) : 1'000'001'536);
}
