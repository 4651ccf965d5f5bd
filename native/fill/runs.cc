#include "fill/runs.h"

#include <algorithm>
#include <cstring>

#include "fill/check.h"
#include "fill/kernel.h"
#include "fill/run.h"
#include "fill/tasks.h"
#include "system/float_environment.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {
namespace {

// A kernel makes tiles of 128 elements (64 of float64) whole, and keeps what is asked for. Runs with less than this
// between them are cheaper made with what lies there.
constexpr uint64_t kTile = 128;

// Memory for such a stretch; it stays in the first-level cache.
constexpr size_t kStretchBytes = size_t{16} << 10;

// Shorter runs do not go around the caches: the ends of each are whole vectors of neighbours.
constexpr size_t kLeastStreamed = size_t{4} << 10;

// A place in the runs: `left` elements from the fill's element `first` on, and how many runs follow this one at equal
// distances.
struct Place {
  uint64_t first;
  uint64_t left;
  uint64_t following;
};

Place Find(const Runs& runs, uint64_t at) {
  uint64_t run = at / runs.length;
  const uint64_t skip = at % runs.length;
  Place place{runs.offset + skip, runs.length - skip, 0};
  for (int k = runs.loops - 1; k >= 0; --k) {
    const uint64_t rest = run / runs.count[k];
    const uint64_t i = run - rest * runs.count[k];
    place.first += i * runs.stride[k];
    if (k == runs.loops - 1) place.following = runs.count[k] - 1 - i;
    run = rest;
  }
  return place;
}

// Copies the runs of a stretch together: `count` elements, of which `left` belong to the run that it begins with.
template <class T>
void Gather(const T* stretch, uint64_t left, const Runs& runs, size_t count, T* out) {
  const uint64_t gap = runs.stride[runs.loops - 1] - runs.length;
  while (count > 0) {
    const size_t n = std::min<size_t>(left, count);
    if (n < 16) {
      for (size_t i = 0; i < n; ++i) out[i] = stretch[i];
    } else {
      std::memcpy(out, stretch, n * sizeof(T));
    }
    out += n;
    stretch += n + gap;
    count -= n;
    left = runs.length;
  }
}

// Makes a stretch of near runs with what lies between, and keeps the runs: up to `most` elements. Returns how many.
template <class Kernel>
size_t FillStretch(const Kernel& kernel, const Runs& runs, const Place& place, Dtype dtype, size_t most, void* out) {
  alignas(64) unsigned char stretch[kStretchBytes];
  const uint64_t stride = runs.stride[runs.loops - 1];
  const uint64_t room = kStretchBytes / DtypeBytes(dtype) - place.left;
  const uint64_t following = std::min(place.following, room / stride);
  const size_t count = static_cast<size_t>(std::min<uint64_t>(most, place.left + following * runs.length));
  // As far as the last run that is wanted.
  const uint64_t wanted = count <= place.left ? 0 : (count - place.left + runs.length - 1) / runs.length;
  kernel({stretch, dtype, place.first, static_cast<size_t>(wanted == 0 ? count : place.left + wanted * stride)});
  WithElements(dtype, out, [&](auto* to) {
    Gather(reinterpret_cast<const std::remove_pointer_t<decltype(to)>*>(stretch), place.left, runs, count, to);
  });
  return count;
}

template <class Kernel>
void FillPart(const Kernel& kernel, const Runs& runs, const Range& part, bool near) {
  const size_t size = DtypeBytes(part.dtype);
  char* out = static_cast<char*>(part.data);
  for (size_t done = 0; done < part.count;) {
    const Place place = Find(runs, part.begin + done);
    const size_t most = part.count - done;
    size_t count = static_cast<size_t>(std::min<uint64_t>(place.left, most));
    if (near && place.following > 0) {
      count = FillStretch(kernel, runs, place, part.dtype, most, out);
    } else {
      kernel({out, part.dtype, place.first, count, part.writers});
    }
    done += count;
    out += count * size;
  }
}

}  // namespace

std::string CheckRuns(const Runs& runs, const Range& part) {
  if (runs.loops < 0 || runs.loops > kMaxLoops) return "expected at most 8 loops over runs";
  if (runs.length < 1 || runs.length > kMaxElements) return "expected runs of 1 to 2^53 elements";
  // In double: products stay far below its largest number, and anything near 2^53 is exact or refused.
  double elements = static_cast<double>(runs.length);
  double last = static_cast<double>(runs.offset) + elements;
  for (int k = 0; k < runs.loops; ++k) {
    if (runs.count[k] < 1 || runs.count[k] > kMaxElements) return "expected counts of 1 to 2^53 runs";
    if (runs.stride[k] > kMaxElements) return "expected strides of at most 2^53 elements";
    elements *= static_cast<double>(runs.count[k]);
    last += static_cast<double>(runs.count[k] - 1) * static_cast<double>(runs.stride[k]);
  }
  if (runs.loops > 0 && runs.stride[runs.loops - 1] < runs.length) return "expected runs that do not overlap";
  if (!(last < static_cast<double>(kMaxElements))) return "expected runs within 2^53 elements";
  // Loops may come by elements again: there can be more of the runs than there are elements, or numbers for them.
  const bool counted = part.begin <= kMaxElements && part.count <= kMaxElements - part.begin;
  if (!counted || !(static_cast<double>(part.begin) + static_cast<double>(part.count) <= elements)) {
    return "expected a part of the runs";
  }
  return {};
}

Range Covered(const Runs& runs, const Range& part) {
  uint64_t count = runs.length;
  for (int k = 0; k < runs.loops; ++k) count += (runs.count[k] - 1) * runs.stride[k];
  return {part.data, part.dtype, runs.offset, static_cast<size_t>(count)};
}

bool FillRuns(const ElementwiseFill& fill, const Key& key, const Runs& runs, const Range& part, int threads,
              const CancelFlag& cancel) {
  // A constant looks the same everywhere.
  if (const auto* constant = std::get_if<ConstantFill>(&fill)) {
    return RunFill(*constant, key, {part.data, part.dtype, 0, part.count}, threads, cancel);
  }
  const DefaultFloatEnvironment environment;
  const size_t size = DtypeBytes(part.dtype);
  Range prepared = Prepare(part, threads);
  if (runs.length < kLeastStreamed / size) prepared.writers = 0;
  const uint64_t stride = runs.loops == 0 ? 0 : runs.stride[runs.loops - 1];
  const bool near = runs.loops > 0 && stride - runs.length < kTile && 4 * stride <= kStretchBytes / size;
  // Tasks end where runs end, if runs are shorter; runs of less than a tile cost as much as a tile.
  size_t step = kTaskBytes / size;
  if (runs.length < step) {
    const size_t length = static_cast<size_t>(runs.length);
    step = length * (step / std::max(length, near ? 1 : static_cast<size_t>(kTile)));
  }
  const size_t tasks = (part.count + step - 1) / step;
  const auto run = [&](const auto& kernel) {
    ParallelFor(tasks, threads, [&](size_t task) {
      if (cancel.Requested()) return;
      const size_t begin = task * step;
      FillPart(kernel, runs, prepared.Part(begin, std::min(step, part.count - begin)), near);
    });
  };
  std::visit([&](const auto& kind) { WithKernel(kind, key, part.dtype, cancel, run); }, fill);
  return !cancel.Requested();
}

}  // namespace nninit
