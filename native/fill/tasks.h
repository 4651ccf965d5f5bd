// How an elementwise fill is cut into tasks: by the time that they take.
#ifndef NNINIT_FILL_TASKS_H_
#define NNINIT_FILL_TASKS_H_

#include <algorithm>
#include <cstddef>

#include "types/dtype.h"
#include "types/fill.h"

namespace nninit {

// Nanoseconds an element takes on one core, roughly.
inline double ElementCost(const ConstantFill& /*fill*/) { return 0.1; }
inline double ElementCost(const DiagonalFill& /*fill*/) { return 0.1; }
inline double ElementCost(const UniformFill& /*fill*/) { return 0.2; }
inline double ElementCost(const NormalFill& /*fill*/) { return 0.4; }
inline double ElementCost(const TruncNormalFill& /*fill*/) { return 0.6; }
template <class Transformed>
double ElementCost(const Transformed& /*fill*/) {
  return 50;
}

// Bytes that a task writes at most: few enough to stay in the cache.
constexpr size_t kTaskBytes = size_t{256} << 10;

struct Tasks {
  size_t step;  // elements each, a power of two
  int threads;  // as many as are worth it
};

template <class Kind>
Tasks TasksOf(const Kind& fill, Dtype dtype, size_t count, int threads) {
  constexpr double kLeastThread = 15e3;  // nanoseconds that outweigh a helper's coming
  constexpr double kLeastTask = 5e3;     // and handing a task out
  constexpr double kMostTask = 200e3;
  constexpr size_t kTasksPerThread = 8;  // so that the last ones end together
  const size_t bytes = DtypeBytes(dtype);
  const double cost = ElementCost(fill) * (bytes == 8 ? 4 : 1);
  const double worth = static_cast<double>(count) * cost / kLeastThread;
  const int most = worth < threads ? std::max(1, static_cast<int>(worth)) : threads;
  const size_t share = most == 1 ? count : count / (static_cast<size_t>(most) * kTasksPerThread);
  const size_t elements = std::min({std::max(share, static_cast<size_t>(kLeastTask / cost)), kTaskBytes / bytes,
                                    static_cast<size_t>(kMostTask / cost)});
  size_t step = 1024;
  while (step <= elements / 2) step *= 2;
  return {step, most};
}

}  // namespace nninit

#endif  // NNINIT_FILL_TASKS_H_
