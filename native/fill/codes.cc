#include "fill/codes.h"

#include <algorithm>

#include "fill/kernel.h"
#include "kernels/codes.h"
#include "system/float_environment.h"
#include "system/threads.h"

namespace nninit {
namespace {

// Values made at a time, which stay in the first-level cache until they are codes; whole tiles.
constexpr size_t kValues = 4096;

// Elements a task: enough to outweigh handing it out.
constexpr size_t kTask = size_t{1} << 18;

}  // namespace

bool FillCodes(const ElementwiseFill& fill, const Key& key, const Encoding& encoding, uint64_t begin, size_t count,
               uint8_t* out, int threads, const CancelFlag& cancel) {
  if (count == 0) return !cancel.Requested();
  const DefaultFloatEnvironment environment;
  const uint64_t end = begin + count;
  const uint64_t first = begin / kTask;
  const size_t tasks = static_cast<size_t>((end - 1) / kTask - first + 1);
  const unsigned perByte = GridBits(encoding.grid) == 4 ? 2 : 1;
  const auto run = [&](const auto& kernel) {
    ParallelFor(tasks, threads, [&](size_t task) {
      alignas(64) float values[kValues];
      const uint64_t last = std::min(end, (first + task + 1) * kTask);
      for (uint64_t at = std::max(begin, (first + task) * kTask), next; at < last && !cancel.Requested(); at = next) {
        next = std::min(last, (at / kValues + 1) * kValues);
        const size_t n = static_cast<size_t>(next - at);
        kernel(Range{values, Dtype::kFloat32, at, n});
        Encode(values, n, encoding, out + (at - begin) / perByte);
      }
    });
  };
  std::visit([&](const auto& kind) { WithKernel(kind, key, Dtype::kFloat32, cancel, run); }, fill);
  return !cancel.Requested();
}

}  // namespace nninit
