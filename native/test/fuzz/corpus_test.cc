// The inputs that fuzzing keeps in the repository (docs/fuzzing.md), and others made of them.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "test/fuzz/one.h"

namespace nninit {
namespace {

void Check(const std::vector<uint8_t>& input) {
  const char* wrong = FuzzOne(input.data(), input.size());
  if (wrong != nullptr) FAIL(wrong);
}

TEST_CASE("what fuzzing found is right, and what differs from it in a few bytes") {
  std::mt19937 random(1);
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(NNINIT_FUZZ_CORPUS)) {
    CAPTURE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    std::vector<uint8_t> input{std::istreambuf_iterator<char>(file), {}};
    Check(input);
    ++inputs;
    for (int i = 0; i < 50 && !input.empty(); ++i) {
      CAPTURE(i);
      input[random() % input.size()] = static_cast<uint8_t>(random());
      Check(input);
    }
  }
  CHECK(inputs > 20);
}

}  // namespace
}  // namespace nninit
