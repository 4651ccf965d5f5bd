#include "random/mt19937_jump.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

namespace nninit {
namespace {

constexpr size_t kBits = 64;
constexpr size_t kPolyWords = (kMtDegree + kBits - 1) / kBits;
using Poly = std::array<uint64_t, kPolyWords>;

// The characteristic polynomial's terms below x^19937 lie below x^19315: so many bits can be reduced at once, since
// their sums do not reach them.
constexpr size_t kStepWords = 8;

// A polynomial over GF(2) as a sorted list of exponents: equal ones cancel.
using Sparse = std::vector<size_t>;

Sparse Sum(Sparse terms) {
  std::sort(terms.begin(), terms.end());
  Sparse sum;
  for (const size_t term : terms) {
    if (!sum.empty() && sum.back() == term) {
      sum.pop_back();
    } else {
      sum.push_back(term);
    }
  }
  return sum;
}

Sparse TimesBinomial(const Sparse& terms, size_t high, size_t low) {
  Sparse product;
  for (const size_t term : terms) {
    product.push_back(term + high);
    product.push_back(term + low);
  }
  return Sum(std::move(product));
}

// Matsumoto and Nishimura 1998, appendix A: with s = x^624 + x^397 and t = x^623 + x^396,
// s·t^31 + a₀·s·t^30 + … + a₃₀·s + a₃₁, where a are the bits of the twist's constant.
std::vector<uint16_t> Characteristic() {
  constexpr uint32_t kMatrix = 0x9908B0DF;
  Sparse power = {0};
  Sparse terms;
  for (int exponent = 0; exponent <= 31; ++exponent) {
    const bool present = exponent == 31 || ((kMatrix >> (30 - exponent)) & 1) != 0;
    if (present) {
      const Sparse product = TimesBinomial(power, 624, 397);
      terms.insert(terms.end(), product.begin(), product.end());
    }
    power = TimesBinomial(power, 623, 396);
  }
  if ((kMatrix >> 31) != 0) terms.push_back(0);
  const Sparse sum = Sum(std::move(terms));
  return std::vector<uint16_t>(sum.begin(), sum.end());
}

// Exclusive or of `words` shifted up by `shift` bits into `to`.
void AddShifted(const uint64_t* words, size_t count, size_t shift, uint64_t* to) {
  uint64_t* at = to + shift / kBits;
  const size_t up = shift % kBits;
  if (up == 0) {
    for (size_t i = 0; i < count; ++i) at[i] ^= words[i];
    return;
  }
  const size_t down = kBits - up;
  at[0] ^= words[0] << up;
  for (size_t i = 1; i < count; ++i) at[i] ^= (words[i] << up) | (words[i - 1] >> down);
  at[count] ^= words[count - 1] >> down;
}

uint64_t Bits(const uint64_t* words, size_t from) {
  const size_t up = from % kBits;
  const uint64_t low = words[from / kBits] >> up;
  return up == 0 ? low : low | (words[from / kBits + 1] << (kBits - up));
}

// Takes the terms from x^19937 on to lower ones. `words` has room for two polynomials, and a step more.
void Reduce(uint64_t* words) {
  const auto& terms = MtCharacteristic();
  constexpr size_t kStep = kStepWords * kBits;
  size_t steps = (kMtDegree + kStep - 1) / kStep;
  while (steps-- > 0) {
    const size_t from = kMtDegree + steps * kStep;
    uint64_t chunk[kStepWords];
    uint64_t any = 0;
    for (size_t i = 0; i < kStepWords; ++i) any |= chunk[i] = Bits(words, from + i * kBits);
    if (any == 0) continue;
    for (const size_t term : terms) AddShifted(chunk, kStepWords, from - kMtDegree + term, words);
  }
}

constexpr size_t kProductWords = 2 * kPolyWords + 2 * kStepWords;

// A byte with zeros put between its bits.
constexpr std::array<uint16_t, 256> Spread() {
  std::array<uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned spread = 0;
    for (unsigned bit = 0; bit < 8; ++bit) spread |= ((byte >> bit) & 1u) << (2 * bit);
    table[byte] = static_cast<uint16_t>(spread);
  }
  return table;
}

void Square(Poly* poly) {
  static constexpr auto kSpread = Spread();
  uint64_t product[kProductWords] = {};
  for (size_t i = 0; i < kPolyWords; ++i) {
    for (size_t byte = 0; byte < 8; ++byte) {
      const uint64_t spread = kSpread[((*poly)[i] >> (8 * byte)) & 0xFF];
      product[2 * i + byte / 4] |= spread << (16 * (byte % 4));
    }
  }
  Reduce(product);
  std::copy_n(product, kPolyWords, poly->begin());
}

void TimesX(Poly* poly) {
  for (size_t i = kPolyWords - 1; i > 0; --i) (*poly)[i] = ((*poly)[i] << 1) | ((*poly)[i - 1] >> 63);
  (*poly)[0] <<= 1;
  if ((((*poly)[kMtDegree / kBits] >> (kMtDegree % kBits)) & 1) == 0) return;
  for (const size_t term : MtCharacteristic()) (*poly)[term / kBits] ^= uint64_t{1} << (term % kBits);
}

std::vector<uint16_t> PowerOfX(uint64_t exponent) {
  Poly poly{};
  int rest = 0;
  while ((exponent >> rest) >= kMtDegree) ++rest;
  const uint64_t top = exponent >> rest;
  poly[top / kBits] = uint64_t{1} << (top % kBits);
  while (rest-- > 0) {
    Square(&poly);
    if (((exponent >> rest) & 1) != 0) TimesX(&poly);
  }
  std::vector<uint16_t> indices;
  for (size_t i = 0; i < kMtDegree; ++i) {
    if (((poly[i / kBits] >> (i % kBits)) & 1) != 0) indices.push_back(static_cast<uint16_t>(i));
  }
  return indices;
}

}  // namespace

const std::vector<uint16_t>& MtCharacteristic() {
  static const std::vector<uint16_t> terms = Characteristic();
  return terms;
}

std::shared_ptr<const std::vector<uint16_t>> JumpIndices(uint64_t distance) {
  using Entry = std::pair<uint64_t, std::shared_ptr<const std::vector<uint16_t>>>;
  constexpr size_t kRemembered = 64;
  static std::mutex mutex;
  static std::vector<Entry> recent;  // the last one used at the end
  {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto known = std::find_if(recent.begin(), recent.end(), [&](const Entry& e) { return e.first == distance; });
    if (known != recent.end()) {
      std::rotate(known, known + 1, recent.end());
      return recent.back().second;
    }
  }
  auto indices = std::make_shared<const std::vector<uint16_t>>(PowerOfX(distance));
  const std::lock_guard<std::mutex> lock(mutex);
  if (recent.size() >= kRemembered) recent.erase(recent.begin());
  recent.emplace_back(distance, indices);
  return indices;
}

}  // namespace nninit
