// Fills of the torch engine: what torch.nn.init writes after torch.manual_seed, bit for bit, on many threads.
#ifndef NNINIT_TORCH_RUN_H_
#define NNINIT_TORCH_RUN_H_

#include <cstdint>
#include <string>

#include "system/cancel_flag.h"
#include "torch/state.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// A random fill of `total` elements that begins at a state. Unlike those of the default engine it is cut from one
// sequence of words, so its values depend on its whole length too.
struct TorchFill {
  RandomFill fill;
  Dtype dtype;
  uint64_t total;
};

// Why the engine refuses, or an empty string; beside CheckFill.
std::string CheckTorch(const TorchFill& torch, const Range& range);

// Writes a range of a checked fill. Returns how many times values were drawn, at least 1: a truncated normal is drawn
// again, wholly, while any value lies outside its bounds; or 0 if the fill was cancelled, or values still lie outside
// after MostTorchRounds. With `end`, which needs the whole fill as its range, the generator's state afterwards goes
// there.
uint64_t RunTorch(const TorchFill& torch, const TorchState& state, const Range& range, int threads,
                  const CancelFlag& cancel, TorchState* end);

// The state after a fill that took `rounds` draws: what RunTorch returned, at its most over the fill's ranges. False if
// no fill takes so many, which leaves the state anywhere.
bool SkipTorch(const TorchFill& torch, uint64_t rounds, TorchState* state);

}  // namespace nninit

#endif  // NNINIT_TORCH_RUN_H_
