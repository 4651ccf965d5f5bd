#include "system/threads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace nninit {
namespace {

int Cores() {
#if defined(__linux__)
  // Honours taskset and cpusets, which hardware_concurrency need not.
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int DefaultThreads() {
  if (const char* text = std::getenv("NNINIT_THREADS")) {
    char* end = nullptr;
    const long threads = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && threads >= 1 && threads <= kMaxThreads) return static_cast<int>(threads);
  }
  return std::min(Cores(), kMaxThreads);
}

std::atomic<int> num_threads{0};  // 0: not asked for yet

// Tasks that one thread does first, in order; it then helps others with theirs. So each thread writes to a stretch of
// memory of its own, the same one when the same memory is filled again: whoever touches pages first, or holds their
// lines in a cache, is whoever writes to them the next time.
struct alignas(64) Stretch {
  std::atomic<size_t> next{0};
  size_t end = 0;
};

struct Job {
  const std::function<void(size_t)>* work;
  Stretch* stretches;
  size_t count;
  // What the first task to fail threw: a helper must not, and the caller only when no helper uses the job any more.
  std::exception_ptr failure = nullptr;
  std::atomic<bool> failed{false};

  void Run(size_t first) {
    try {
      for (size_t i = 0; i < count; ++i) {
        Stretch& stretch = stretches[(first + i) % count];
        while (!failed.load(std::memory_order_relaxed)) {
          const size_t task = stretch.next.fetch_add(1, std::memory_order_relaxed);
          if (task >= stretch.end) break;
          (*work)(task);
        }
      }
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
};

class Pool {
 public:
  ~Pool() { Stop(); }

  void Run(size_t tasks, size_t helpers, const std::function<void(size_t)>& work) {
    Job job{&work, stretches_, 0};
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (threads_.size() < helpers) {
        try {
          threads_.emplace_back(
              [this, index = threads_.size() + 1, seen = generation_]() mutable { Work(index, seen); });
        } catch (const std::exception&) {
          break;  // The system gives no more threads or memory: the ones there are do the work.
        }
      }
      wanted_ = std::min(helpers, threads_.size());
      job.count = wanted_ + 1;
      for (size_t i = 0; i < job.count; ++i) {
        stretches_[i].next.store(tasks / job.count * i + std::min(i, tasks % job.count), std::memory_order_relaxed);
        stretches_[i].end = tasks / job.count * (i + 1) + std::min(i + 1, tasks % job.count);
      }
      job_ = &job;
      ++generation_;
    }
    wake_.notify_all();
    job.Run(0);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      job_ = nullptr;  // Helpers that have not begun yet need not any more.
      idle_.wait(lock, [this] { return running_ == 0; });
    }
    if (job.failure != nullptr) std::rethrow_exception(job.failure);
  }

  void Stop() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    stopping_ = false;
  }

  // Set while a caller's job runs. Not a mutex, since a job may itself ask for a parallel loop on the same thread.
  std::atomic<bool> busy{false};

 private:
  void Work(size_t index, uint64_t seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      if (job_ == nullptr || wanted_ == 0) continue;
      --wanted_;
      ++running_;
      Job* job = job_;
      lock.unlock();
      job->Run(index % job->count);
      lock.lock();
      if (--running_ == 0) idle_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<std::thread> threads_;
  Stretch stretches_[kMaxThreads];
  Job* job_ = nullptr;
  size_t wanted_ = 0;
  size_t running_ = 0;
  uint64_t generation_ = 0;
  bool stopping_ = false;
};

Pool& ThePool() {
  static Pool pool;
  return pool;
}

}  // namespace

int GetNumThreads() {
  int threads = num_threads.load(std::memory_order_relaxed);
  if (threads == 0) {
    threads = DefaultThreads();
    num_threads.store(threads, std::memory_order_relaxed);
  }
  return threads;
}

void SetNumThreads(int threads) { num_threads.store(std::clamp(threads, 1, kMaxThreads), std::memory_order_relaxed); }

void ParallelFor(size_t tasks, int threads, const std::function<void(size_t)>& work) {
  const size_t most = std::min(tasks, static_cast<size_t>(std::clamp(threads, 1, kMaxThreads)));
  Pool& pool = ThePool();
  if (most <= 1 || pool.busy.exchange(true, std::memory_order_acquire)) {
    for (size_t task = 0; task < tasks; ++task) work(task);
    return;
  }
  try {
    pool.Run(tasks, most - 1, work);
  } catch (...) {
    pool.busy.store(false, std::memory_order_release);
    throw;
  }
  pool.busy.store(false, std::memory_order_release);
}

void StopThreads() {
  Pool& pool = ThePool();
  while (pool.busy.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  pool.Stop();
  pool.busy.store(false, std::memory_order_release);
}

}  // namespace nninit
