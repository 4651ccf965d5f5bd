// A persistent pool of native threads that cut one fill into chunks.
#ifndef NNINIT_SYSTEM_THREADS_H_
#define NNINIT_SYSTEM_THREADS_H_

#include <cstddef>
#include <functional>

namespace nninit {

constexpr int kMaxThreads = 1024;

// The default number of threads a fill may use, the calling one included: NNINIT_THREADS, or the cores this process may
// run on.
int GetNumThreads();
void SetNumThreads(int threads);

// Runs work(0) … work(tasks − 1), each once, in any order, on up to `threads` threads with the calling one among them,
// and returns when all are done. If the pool is busy with another caller's fill, everything runs on the calling thread.
// What work throws, such as std::bad_alloc, is thrown here when nothing runs any more; tasks not begun are left out
// then.
void ParallelFor(size_t tasks, int threads, const std::function<void(size_t)>& work);

// Joins the pool's threads; the next ParallelFor starts new ones. No fill may be running.
void StopThreads();

}  // namespace nninit

#endif  // NNINIT_SYSTEM_THREADS_H_
