// How much a thread stands back for others.
#ifndef NNINIT_SYSTEM_PRIORITY_H_
#define NNINIT_SYSTEM_PRIORITY_H_

namespace nninit {

constexpr int kMostNiceness = 19;

// Adds to the calling thread's niceness on Linux; on Windows it stands back at all unless `niceness` is 0. Nowhere else
// has a thread a niceness of its own. What the system refuses is left as it was.
void StandBack(int niceness);

}  // namespace nninit

#endif  // NNINIT_SYSTEM_PRIORITY_H_
