#ifndef NNINIT_SYSTEM_CANCEL_FLAG_H_
#define NNINIT_SYSTEM_CANCEL_FLAG_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nninit {

// A word in shared memory by which another thread asks a running fill to stop; looked at between pieces of work that
// take well under a millisecond.
class CancelFlag {
 public:
  CancelFlag() = default;
  // `done`: a second word, in which a fill that runs whole tells how far it is.
  explicit CancelFlag(const int32_t* word, int32_t* done = nullptr)
      : word_(reinterpret_cast<const std::atomic<int32_t>*>(word)),
        done_(reinterpret_cast<std::atomic<int32_t>*>(done)) {}

  bool Requested() const { return word_ != nullptr && word_->load(std::memory_order_relaxed) != 0; }

  // Tells that so many of the pieces are done, in thousandths; it never goes back, whichever thread is late.
  void Tell(size_t pieces, size_t of) const {
    if (done_ == nullptr) return;
    const auto share = static_cast<int32_t>(pieces * 1000 / of);
    for (int32_t told = done_->load(std::memory_order_relaxed); told < share;) {
      if (done_->compare_exchange_weak(told, share, std::memory_order_relaxed)) return;
    }
  }

 private:
  static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "the word belongs to an Int32Array");
  const std::atomic<int32_t>* word_ = nullptr;
  std::atomic<int32_t>* done_ = nullptr;
};

// Calls body(begin, end) for stretches of at most `step` of [0, count), in order, and looks at the flag before each;
// false if it is set.
template <class Body>
inline bool InStretches(size_t count, size_t step, const CancelFlag& cancel, const Body& body) {
  for (size_t begin = 0; begin < count; begin += std::min(step, count - begin)) {
    if (cancel.Requested()) return false;
    body(begin, begin + std::min(step, count - begin));
  }
  return true;
}

// Clears memory, which may be fresh; false if cancelled before all of it is.
inline bool ClearMemory(void* data, size_t bytes, const CancelFlag& cancel) {
  return InStretches(bytes, size_t{1} << 20, cancel,
                     [&](size_t begin, size_t end) { std::memset(static_cast<char*>(data) + begin, 0, end - begin); });
}

}  // namespace nninit

#endif  // NNINIT_SYSTEM_CANCEL_FLAG_H_
