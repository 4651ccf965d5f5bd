// A persistent pool of native threads that cut one fill into chunks.
#ifndef NNINIT_SYSTEM_THREADS_H_
#define NNINIT_SYSTEM_THREADS_H_

#include <cstddef>

namespace nninit {

constexpr int kMaxThreads = 1024;

// The default number of threads a fill may use, the calling one included: NNINIT_THREADS, or the cores this process may
// run on, of which LimitThreads says how many it is granted the time of.
int GetNumThreads();
void SetNumThreads(int threads);

// Lowers the default, unless NNINIT_THREADS gives it. To be called before anyone asks.
void LimitThreads(int cores);

// What is to be done for each task: a reference to a callable. std::function would take memory for it, which may be
// refused in the middle of a fill.
class Work {
 public:
  template <class Callable>
  Work(const Callable& callable)  // Implicit: lambdas are handed over as they stand.
      : callable_(&callable),
        call_([](const void* object, size_t task) { (*static_cast<const Callable*>(object))(task); }) {}

  void operator()(size_t task) const { call_(callable_, task); }

 private:
  const void* callable_;
  void (*call_)(const void*, size_t);
};

// Runs work(0) … work(tasks − 1), each once, in any order, on up to `threads` threads with the calling one among them,
// and returns when all are done. Callers on several threads have helpers of their own. A loop inside a task of another
// runs on the calling thread.
// What work throws, such as std::bad_alloc, is thrown here when nothing runs any more; tasks not begun are left out
// then.
void ParallelFor(size_t tasks, int threads, const Work& work);

// Waits until no loop runs and joins the pool's threads; the next ParallelFor starts new ones.
void StopThreads();

}  // namespace nninit

#endif  // NNINIT_SYSTEM_THREADS_H_
