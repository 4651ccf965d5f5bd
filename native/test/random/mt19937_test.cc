// MT19937's words and jumps, beside the standard library's.
#include "random/mt19937.h"

#include <doctest/doctest.h>

#include <random>

#include "random/mt19937_jump.h"
#include "test/support.h"

namespace nninit {
namespace {

TEST_CASE("words are those of the standard library, however many are taken at a time") {
  test::ForEachTarget([](const std::string& target) {
    CAPTURE(target);
    MtState state;
    MtSeed(5489, &state);
    MtCursor cursor(state, 0);
    std::mt19937 expected(5489);
    bool same = true;
    for (size_t i = 0; i < 300; ++i) {
      const size_t count = (i * 37) % MtCursor::kMost;
      const uint32_t* words = cursor.Next(count);
      for (size_t k = 0; k < count; ++k) same = same && Temper(words[k]) == expected();
    }
    CHECK(same);
  });
}

TEST_CASE("jumps lead where single steps do") {
  test::ForEachTarget([](const std::string& target) {
    CAPTURE(target);
    MtState start;
    MtSeed(42, &start);
    std::mt19937 begun(42);
    MtCursor(start, 100).Save(&start);  // in the midst of a block
    begun.discard(100);
    for (const uint64_t skip : {1u, 523u, 524u, 525u, 1148u, 100000u, 5112308u, 5112309u, 6000000u, 20000001u}) {
      CAPTURE(skip);
      std::mt19937 expected = begun;
      expected.discard(skip);
      MtCursor cursor(start, skip);
      MtState saved;
      cursor.Save(&saved);
      MtCursor again(saved, 0);
      bool same = true;
      const uint32_t* words = cursor.Next(1300);
      const uint32_t* others = again.Next(1300);
      for (size_t k = 0; k < 1300; ++k) {
        const auto word = static_cast<uint32_t>(expected());
        same = same && Temper(words[k]) == word && Temper(others[k]) == word;
      }
      CHECK(same);
    }
  });
}

TEST_CASE("a jump is the sum of its parts, far beyond what can be stepped") {
  MtState start;
  MtSeed(7, &start);
  MtState one;
  MtState two;
  MtCursor cursor(start, (uint64_t{1} << 52) + 12345);
  cursor.Skip((uint64_t{1} << 51) + 99);
  cursor.Save(&one);
  MtCursor(start, (uint64_t{3} << 51) + 12444).Save(&two);
  REQUIRE(one.used == two.used);
  bool same = true;
  for (size_t i = 0; i < kMtWords; ++i) same = same && one.words[i] == two.words[i];
  CHECK(same);
}

TEST_CASE("the characteristic polynomial has its known weight, and annihilates the words") {
  const auto& terms = MtCharacteristic();
  CHECK(terms.size() == 135);
  CHECK(terms.back() == kMtDegree);
  MtState state;
  MtSeed(1, &state);
  std::vector<uint32_t> words(state.words, state.words + kMtWords);
  MtCursor cursor(state, 0);
  while (words.size() < kMtDegree + 64) {
    const uint32_t* next = cursor.Next(kMtWords);
    words.insert(words.end(), next, next + kMtWords);
  }
  for (size_t i = 1; i < 40; ++i) {
    uint32_t sum = 0;
    for (const uint16_t term : terms) sum ^= words[term + i];
    CHECK(sum == 0);
  }
}

}  // namespace
}  // namespace nninit
