// What a call asks for in numbers. They lie in memory that JavaScript hands over once and writes to before each call:
// each argument that is read in place of this would be a call into Node, and those take longer than a small fill.
#ifndef NNINIT_BINDING_REQUEST_H_
#define NNINIT_BINDING_REQUEST_H_

#include <cstddef>
#include <cstdint>

#include "random/philox.h"
#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// By the slots of lib/native/request.ts. All are doubles, but for the key's two words.
enum Slot : size_t {
  kDtypeSlot,
  kKindSlot,
  kNumbersSlot,
  kKeySlot = kNumbersSlot + 6,
  kBeginSlot = kKeySlot + 2,
  kThreadsSlot,
  kElementsSlot,
  kWritersSlot,
  kTotalSlot,
  kRoundsSlot,
  kSlots,
};

// A copy, since another thread may be writing there. Anything may stand in it: each function checks what it reads, and
// throws a RangeError.
class Request {
 public:
  explicit Request(const void* memory);

  Dtype ReadDtype() const;
  Fill ReadFill() const;
  Key ReadKey() const;
  uint64_t ReadBegin() const;
  // The number that was set, for 0.
  int ReadThreads() const;
  // How many elements are being filled at once, and by how many threads; 0 elements if it is only this range.
  void ReadWriters(Range* range) const;
  // Of the engine torch: elements of the whole fill, and how often they are drawn.
  uint64_t ReadTotal() const;
  uint64_t ReadRounds() const;

 private:
  uint64_t Whole(Slot slot, const char* name, uint64_t least, uint64_t most) const;

  double number_[kSlots];
};

}  // namespace nninit

#endif  // NNINIT_BINDING_REQUEST_H_
