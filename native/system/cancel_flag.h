#ifndef NNINIT_SYSTEM_CANCEL_FLAG_H_
#define NNINIT_SYSTEM_CANCEL_FLAG_H_

#include <atomic>
#include <cstdint>

namespace nninit {

// A word in shared memory by which another thread asks a running fill to stop; looked at between pieces of work that
// take well under a millisecond.
class CancelFlag {
 public:
  CancelFlag() = default;
  explicit CancelFlag(const int32_t* word) : word_(reinterpret_cast<const std::atomic<int32_t>*>(word)) {}

  bool Requested() const { return word_ != nullptr && word_->load(std::memory_order_relaxed) != 0; }

 private:
  static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "the word belongs to an Int32Array");
  const std::atomic<int32_t>* word_ = nullptr;
};

}  // namespace nninit

#endif  // NNINIT_SYSTEM_CANCEL_FLAG_H_
