// The state of PyTorch's CPU generator, in the bytes that torch.get_rng_state() gives.
#ifndef NNINIT_TORCH_STATE_H_
#define NNINIT_TORCH_STATE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "random/mt19937.h"

namespace nninit {

constexpr size_t kTorchStateBytes = 5056;

struct TorchState {
  uint64_t seed = 0;
  // The block, and how much of it is drawn.
  MtState mt{};
  // The second value of a pair of normals that the next short normal fill begins with.
  bool has_normal = false;
  double normal = 0;
  // Seeded, and nothing drawn since: PyTorch then gives another place for the same thing.
  bool fresh = false;
  // Bytes about a cached float32 normal, which fills on the CPU never use.
  uint64_t float_normal = 0;
};

// As torch.manual_seed(seed): the words follow from the seed's low 32 bits.
void SeedTorch(uint64_t seed, TorchState* state);

// Why these bytes are no state of the generator, or an empty string.
std::string ReadTorchState(const uint8_t* bytes, TorchState* state);

void WriteTorchState(const TorchState& state, uint8_t* bytes);

}  // namespace nninit

#endif  // NNINIT_TORCH_STATE_H_
