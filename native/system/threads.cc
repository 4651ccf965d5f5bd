#include "system/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "system/float_environment.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
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

std::atomic<int> granted_cores{kMaxThreads};

int DefaultThreads() {
  if (const char* text = std::getenv("NNINIT_THREADS")) {
    char* end = nullptr;
    const long threads = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && threads >= 1 && threads <= kMaxThreads) return static_cast<int>(threads);
  }
  return std::min({Cores(), granted_cores.load(std::memory_order_relaxed), kMaxThreads});
}

std::atomic<int> num_threads{0};  // 0: not asked for yet

// A thread looks for a moment for what is about to happen before it sleeps: waking it would take as long as a small
// fill. Not where more threads than cores want to run, which shows in a moment that took much longer: one that looks
// is the first to be made to wait then, with a task in its hands.
class Lookout {
 public:
  template <class Condition>
  void Until(const Condition& condition) {
    const Clock::time_point start = Clock::now();
    if (start.time_since_epoch().count() < crowded_until_.load(std::memory_order_relaxed)) return;
    Clock::time_point now = start;
    while (now < start + kMoment) {
      for (int i = 0; i < 32; ++i) {
        if (condition()) return;
        Pause();
      }
      now = Clock::now();
    }
    if (now > start + 3 * kMoment) crowded_until_.store((now + kSoon).time_since_epoch().count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kMoment{50};
  static constexpr std::chrono::milliseconds kSoon{100};

  static void Pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#endif
  }

  std::atomic<Clock::rep> crowded_until_{0};
};

// Tasks that one thread does first, in order; it then helps others with theirs. So each thread writes to a stretch of
// memory of its own, the same one when the same memory is filled again: whoever touches pages first, or holds their
// lines in a cache, is whoever writes to them the next time.
struct alignas(64) Stretch {
  std::atomic<size_t> next{0};
  size_t end = 0;
  bool taken = false;  // by a thread, as its first; under the pool's mutex
};

// Whether this thread is at a loop's tasks: a loop inside one of them runs on this thread alone.
thread_local bool in_loop = false;

struct Job {
  Job(size_t tasks, size_t threads, const Work& of) : work(of), stretches(threads) {
    const size_t share = tasks / threads;
    const size_t longer = tasks % threads;
    for (size_t i = 0; i < threads; ++i) {
      stretches[i].next.store(share * i + std::min(i, longer), std::memory_order_relaxed);
      stretches[i].end = share * (i + 1) + std::min(i + 1, longer);
    }
    stretches[0].taken = true;  // the caller's
  }

  // Does the tasks of one stretch, then what is left of the others.
  void Run(size_t first) {
    in_loop = true;
    try {
      for (size_t i = 0; i < stretches.size(); ++i) {
        Stretch& stretch = stretches[(first + i) % stretches.size()];
        while (!failed.load(std::memory_order_relaxed)) {
          const size_t task = stretch.next.fetch_add(1, std::memory_order_relaxed);
          if (task >= stretch.end) break;
          work(task);
        }
      }
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
    in_loop = false;
  }

  // A stretch that nobody has yet, for a helper: the one with its number if it can be.
  size_t Take(size_t index) {
    --wanted;
    ++running;
    if (index >= stretches.size() || stretches[index].taken) {
      for (index = 0; stretches[index].taken;) ++index;
    }
    stretches[index].taken = true;
    return index;
  }

  const Work& work;
  std::vector<Stretch> stretches;
  // What the first task to fail threw: a helper must not, and the caller only when no helper uses the job any more.
  std::exception_ptr failure = nullptr;
  std::atomic<bool> failed{false};

  // Written under the pool's mutex: helpers that may still join, fewer than there are free stretches; and those that
  // are at it.
  size_t wanted = 0;
  std::atomic<size_t> running{0};
  std::condition_variable left;
};

// Threads that help whoever runs a loop; callers on several threads have jobs at once.
class Pool {
 public:
  ~Pool() { Stop(); }

  // Asks for helpers; throws std::bad_alloc where there is no memory for that.
  void Enlist(Job& job) {
    size_t asleep = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      jobs_.push_back(&job);
      job.wanted = job.stretches.size() - 1;
      helpers_ += job.wanted;
      // Those that look may be wanted by other jobs too.
      const size_t openings = openings_.fetch_add(job.wanted, std::memory_order_relaxed) + job.wanted;
      asleep = openings - std::min(openings, looking_);
      Grow();
    }
    for (; asleep > 0; --asleep) wake_.notify_one();
  }

  // Does what was enlisted.
  void Run(Job& job) {
    job.Run(0);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));  // helpers that have not begun yet need not any more
      helpers_ -= job.stretches.size() - 1;
      openings_.fetch_sub(job.wanted, std::memory_order_relaxed);
      if (job.running > 0) {
        lock.unlock();
        lookout_.Until([&job] { return job.running.load(std::memory_order_relaxed) == 0; });
        lock.lock();
      }
      job.left.wait(lock, [&job] { return job.running == 0; });
      if (jobs_.empty()) idle_.notify_all();
    }
    if (job.failure != nullptr) std::rethrow_exception(job.failure);
  }

  // Waits until no loop runs.
  void WaitAndStop() {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      idle_.wait(lock, [this] { return jobs_.empty(); });
    }
    Stop();
  }

 private:
  void Stop() {
    // One at a time: one that has nobody to join would call back those that another waits for.
    const std::lock_guard<std::mutex> alone(stop_mutex_);
    std::vector<std::thread> threads;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      threads.swap(threads_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads) thread.join();
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = false;
  }

  // As many threads as the jobs want together.
  void Grow() {
    while (!stopping_ && threads_.size() < std::min<size_t>(helpers_, kMaxThreads - 1)) {
      try {
        threads_.emplace_back([this, index = threads_.size() + 1] { Help(index); });
      } catch (const std::exception&) {
        return;  // The system gives no more threads or memory: the ones there are do the work.
      }
    }
  }

  void Help(size_t index) {
    // A thread begins as the one that started it.
    const DefaultFloatEnvironment environment;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      auto hiring = jobs_.end();
      const auto found = [&] {
        hiring = std::find_if(jobs_.begin(), jobs_.end(), [](const Job* job) { return job->wanted > 0; });
        return stopping_ || hiring != jobs_.end();
      };
      if (!found()) {
        ++looking_;
        lock.unlock();
        lookout_.Until([this] { return openings_.load(std::memory_order_relaxed) > 0; });
        lock.lock();
        --looking_;
        wake_.wait(lock, found);
      }
      if (stopping_) return;
      Job& job = **hiring;
      const size_t stretch = job.Take(index);
      openings_.fetch_sub(1, std::memory_order_relaxed);
      lock.unlock();
      job.Run(stretch);
      lock.lock();
      if (--job.running == 0) job.left.notify_one();
    }
  }

  Lookout lookout_;
  std::mutex stop_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<std::thread> threads_;
  std::vector<Job*> jobs_;
  size_t helpers_ = 0;               // that the jobs want together
  size_t looking_ = 0;               // helpers that are about to see what is wanted without being woken
  std::atomic<size_t> openings_{0};  // for helpers that may still join, written under the mutex
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

void LimitThreads(int cores) { granted_cores.store(std::clamp(cores, 1, kMaxThreads), std::memory_order_relaxed); }

void SetNumThreads(int threads) { num_threads.store(std::clamp(threads, 1, kMaxThreads), std::memory_order_relaxed); }

void ParallelFor(size_t tasks, int threads, const Work& work) {
  const size_t most = std::min(tasks, static_cast<size_t>(std::clamp(threads, 1, kMaxThreads)));
  std::optional<Job> job;
  if (most > 1 && !in_loop) {
    try {
      job.emplace(tasks, most, work);
      ThePool().Enlist(*job);
    } catch (const std::bad_alloc&) {
      job.reset();  // Nothing has begun: it is done here, more slowly, rather than left in the middle of a fill.
    }
  }
  if (job) return ThePool().Run(*job);
  for (size_t task = 0; task < tasks; ++task) work(task);
}

void StopThreads() { ThePool().WaitAndStop(); }

}  // namespace nninit
