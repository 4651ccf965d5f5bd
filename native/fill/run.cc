#include "fill/run.h"

#include <algorithm>

#include "fill/kernel.h"
#include "fill/tasks.h"
#include "linalg/orthogonal.h"
#include "linalg/sparse.h"
#include "system/float_environment.h"
#include "system/large_memory.h"
#include "system/threads.h"

namespace nninit {
namespace {

template <class Kernel>
void RunTasks(const Range& range, const Tasks& by, const CancelFlag& cancel, const Kernel& kernel) {
  const size_t step = by.step;
  // Tasks begin at multiples of the step within the fill, so that no tile is computed twice.
  const size_t lead = static_cast<size_t>(range.begin % step);
  const size_t tasks = (lead + range.count + step - 1) / step;
  ParallelFor(tasks, by.threads, [&](size_t task) {
    if (cancel.Requested()) return;
    const size_t begin = task == 0 ? 0 : task * step - lead;
    const size_t end = std::min(range.count, (task + 1) * step - lead);
    kernel(range.Part(begin, end - begin));
  });
}

}  // namespace

bool RunFill(const Fill& fill, const Key& key, const Range& range, int threads, const CancelFlag& cancel) {
  if (range.count == 0) return !cancel.Requested();
  const DefaultFloatEnvironment environment;
  const Range prepared = Prepare(range, threads);
  std::visit(Overloaded{
                 [&](const OrthogonalFill& matrix) { RunOrthogonal(matrix, key, prepared, threads, cancel); },
                 [&](const SparseFill& matrix) { RunSparse(matrix, key, prepared, threads, cancel); },
                 [&](const auto& kind) {
                   const Tasks by = TasksOf(kind, range.dtype, range.count, threads);
                   WithKernel(kind, key, range.dtype, cancel,
                              [&](const auto& kernel) { RunTasks(prepared, by, cancel, kernel); });
                 },
             },
             fill);
  return !cancel.Requested();
}

}  // namespace nninit
