#include "random/mt19937.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "random/mt19937.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "random/mt19937_jump.h"

HWY_BEFORE_NAMESPACE();
namespace nninit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// w[624] … w[1247] from w[0] … w[623]. A vector of new words depends on none of its own, nor on the 226 before it.
void NextBlock(uint32_t* HWY_RESTRICT w) {
  const hn::CappedTag<uint32_t, 16> du;
  const auto upper = hn::Set(du, 0x80000000u);
  const auto one = hn::Set(du, 1u);
  const auto matrix = hn::Set(du, 0x9908B0DFu);
  for (size_t i = 0; i < kMtWords; i += hn::Lanes(du)) {
    const auto first = hn::Load(du, w + i);
    const auto second = hn::LoadU(du, w + i + 1);
    const auto mixed = hn::Xor(second, hn::And(hn::Xor(first, second), upper));
    const auto odd = hn::IfThenElseZero(hn::Eq(hn::And(second, one), one), matrix);
    const auto far = hn::LoadU(du, w + i + 397);
    hn::Store(hn::Xor(hn::Xor(far, hn::ShiftRight<1>(mixed)), odd), du, w + i + kMtWords);
  }
}

// out[j] = the exclusive or of w[index + j] over the indices, for j < 624.
void SumWindows(const uint32_t* HWY_RESTRICT w, const uint16_t* HWY_RESTRICT indices, size_t count,
                uint32_t* HWY_RESTRICT out) {
  const hn::CappedTag<uint32_t, 16> du;
  const size_t lanes = hn::Lanes(du);
  // 624 = 13 · 48: thirteen sums stay in registers.
  for (size_t column = 0; column < kMtWords; column += 13 * lanes) {
    auto s0 = hn::Zero(du), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0;
    auto s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0, s12 = s0;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t* HWY_RESTRICT at = w + indices[i] + column;
      const auto load = [&](size_t k) HWY_ATTR { return hn::LoadU(du, at + k * lanes); };
      s0 = hn::Xor(s0, load(0));
      s1 = hn::Xor(s1, load(1));
      s2 = hn::Xor(s2, load(2));
      s3 = hn::Xor(s3, load(3));
      s4 = hn::Xor(s4, load(4));
      s5 = hn::Xor(s5, load(5));
      s6 = hn::Xor(s6, load(6));
      s7 = hn::Xor(s7, load(7));
      s8 = hn::Xor(s8, load(8));
      s9 = hn::Xor(s9, load(9));
      s10 = hn::Xor(s10, load(10));
      s11 = hn::Xor(s11, load(11));
      s12 = hn::Xor(s12, load(12));
    }
    const decltype(s0) sums[13] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12};
    for (size_t k = 0; k < 13; ++k) hn::StoreU(sums[k], du, out + column + k * lanes);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace nninit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nninit {

HWY_EXPORT(NextBlock);
HWY_EXPORT(SumWindows);

namespace {

// From here on a jump, at 0.1 ms and 0.3 for a distance not known yet, is faster than making the blocks between, at 30
// to 50 ns each.
constexpr uint64_t kJumpBlocks = 8192;

uint32_t* Aligned(uint32_t* memory) {
  return reinterpret_cast<uint32_t*>((reinterpret_cast<uintptr_t>(memory) + 63) & ~uintptr_t{63});
}

// Replaces block 0 by block `blocks` ≥ 1: words 624·blocks … of the sequence are sums of words 1 … 20560, since each
// bit of the words from 1 on obeys the recurrence of the characteristic polynomial. (The low bits of word 0 are in no
// recurrence.)
void Jump(uint32_t* words, uint64_t blocks) {
  const auto indices = JumpIndices(blocks * kMtWords - 1);
  constexpr size_t kReach = (kMtDegree + 2 * kMtWords) / kMtWords;
  const std::unique_ptr<uint32_t[]> memory(new uint32_t[(kReach + 1) * kMtWords + 16]);
  uint32_t* w = Aligned(memory.get());
  std::memcpy(w, words, kMtWords * sizeof(uint32_t));
  for (size_t block = 0; block < kReach; ++block) HWY_DYNAMIC_DISPATCH(NextBlock)(w + block * kMtWords);
  HWY_DYNAMIC_DISPATCH(SumWindows)(w + 1, indices->data(), indices->size(), words);
}

}  // namespace

void MtSeed(uint32_t seed, MtState* state) {
  uint32_t word = seed;
  for (uint32_t i = 0; i < kMtWords; ++i) {
    if (i > 0) word = 1812433253u * (word ^ (word >> 30)) + i;
    state->words[i] = word;
  }
  state->used = kMtWords;
}

MtCursor::MtCursor(const MtState& state, uint64_t skip)
    : buffer_(new uint32_t[kBlocks * kMtWords + 16]), place_(state.used), end_(kMtWords) {
  std::memcpy(Aligned(buffer_.get()), state.words, sizeof state.words);
  Skip(skip);
}

void MtCursor::Grow() {
  HWY_DYNAMIC_DISPATCH(NextBlock)(Aligned(buffer_.get()) + end_ - kMtWords);
  end_ += kMtWords;
}

const uint32_t* MtCursor::Next(size_t count) {
  uint32_t* words = Aligned(buffer_.get());
  if (place_ + count > kBlocks * kMtWords) {
    const size_t start = place_ == 0 ? 0 : (place_ - 1) / kMtWords * kMtWords;
    std::memmove(words, words + start, (end_ - start) * sizeof(uint32_t));
    place_ -= start;
    end_ -= start;
  }
  while (end_ < place_ + count) Grow();
  place_ += count;
  return words + place_ - count;
}

void MtCursor::Skip(uint64_t count) {
  uint32_t* words = Aligned(buffer_.get());
  if (count <= end_ - place_) {
    place_ += static_cast<size_t>(count);
    return;
  }
  // To the block that holds the last word passed over, from the last block made.
  const uint64_t target = place_ + count;
  uint64_t block = (target - 1) / kMtWords;
  const uint64_t last = end_ / kMtWords - 1;
  std::memmove(words, words + last * kMtWords, kMtWords * sizeof(uint32_t));
  place_ = static_cast<size_t>(target - block * kMtWords);
  end_ = kMtWords;
  block -= last;
  if (block >= kJumpBlocks) return Jump(words, block);
  for (; block > 0; --block) {
    HWY_DYNAMIC_DISPATCH(NextBlock)(words);
    std::memcpy(words, words + kMtWords, kMtWords * sizeof(uint32_t));
  }
}

void MtCursor::Save(MtState* state) const {
  const uint32_t* words = Aligned(buffer_.get());
  const size_t start = place_ == 0 ? 0 : (place_ - 1) / kMtWords * kMtWords;
  std::memcpy(state->words, words + start, sizeof state->words);
  state->used = static_cast<uint32_t>(place_ - start);
}

}  // namespace nninit
#endif
