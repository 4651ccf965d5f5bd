#include "torch/state.h"

#include <cstring>

namespace nninit {
namespace {

// PyTorch's CPUGeneratorImplState: the words as 64-bit numbers, `left` words to go in the block (counting one that is
// drawn already) and `next` the place of the next; then three doubles, of which only the second is used, and for a
// cached float32 normal, which fills on the CPU never use, eight bytes that are kept as they are.
constexpr size_t kLeft = 8;
constexpr size_t kSeeded = 12;
constexpr size_t kNext = 16;
constexpr size_t kWords = 24;
constexpr size_t kNormal = kWords + 8 * kMtWords + 8;
constexpr size_t kNormalValid = kNormal + 16;
constexpr size_t kFloatNormal = kNormalValid + 8;
static_assert(kFloatNormal + 8 == kTorchStateBytes, "the layout of torch.get_rng_state()");

template <class T>
T Read(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
void Write(T value, uint8_t* bytes) {
  std::memcpy(bytes, &value, sizeof value);
}

}  // namespace

void SeedTorch(uint64_t seed, TorchState* state) {
  *state = TorchState();
  state->seed = seed;
  MtSeed(static_cast<uint32_t>(seed), &state->mt);
  state->fresh = true;
}

std::string ReadTorchState(const uint8_t* bytes, TorchState* state) {
  const auto left = Read<int32_t>(bytes + kLeft);
  const auto next = Read<uint64_t>(bytes + kNext);
  if (Read<int32_t>(bytes + kSeeded) != 1) return "it is not seeded";
  if (left < 1 || left > static_cast<int32_t>(kMtWords) || next > kMtWords) return "its place is not in the block";
  // `left` = 1 says that the block is used up, whatever `next` is.
  if (left != 1 && next + static_cast<uint64_t>(left) != kMtWords + 1) return "its place is contradictory";
  for (size_t i = 0; i < kMtWords; ++i) {
    const auto word = Read<uint64_t>(bytes + kWords + 8 * i);
    if (word >> 32 != 0) return "a word has more than 32 bits";
    state->mt.words[i] = static_cast<uint32_t>(word);
  }
  state->seed = Read<uint64_t>(bytes);
  state->mt.used = left == 1 ? static_cast<uint32_t>(kMtWords) : static_cast<uint32_t>(next);
  state->fresh = left == 1 && next == 0;
  state->has_normal = Read<int32_t>(bytes + kNormalValid) != 0;
  state->normal = Read<double>(bytes + kNormal);
  state->float_normal = Read<uint64_t>(bytes + kFloatNormal);
  return {};
}

void WriteTorchState(const TorchState& state, uint8_t* bytes) {
  std::memset(bytes, 0, kTorchStateBytes);
  const auto used = state.mt.used;
  Write<uint64_t>(state.seed, bytes);
  Write<int32_t>(static_cast<int32_t>(used == kMtWords ? 1 : kMtWords + 1 - used), bytes + kLeft);
  Write<int32_t>(1, bytes + kSeeded);
  Write<uint64_t>(state.fresh ? 0 : used, bytes + kNext);
  for (size_t i = 0; i < kMtWords; ++i) Write<uint64_t>(state.mt.words[i], bytes + kWords + 8 * i);
  if (state.has_normal) {
    Write<double>(state.normal, bytes + kNormal);
    Write<int32_t>(1, bytes + kNormalValid);
  }
  Write<uint64_t>(state.float_normal, bytes + kFloatNormal);
}

}  // namespace nninit
