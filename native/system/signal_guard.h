// Ends the process after a signal even where its main thread, which would hear of it, is busy.
#ifndef NNINIT_SYSTEM_SIGNAL_GUARD_H_
#define NNINIT_SYSTEM_SIGNAL_GUARD_H_

#include <string>

namespace nninit {

// From now on SIGHUP, SIGINT and SIGTERM still go to whoever handles them, but after a second one, or `grace_ms` after
// the first, a thread of its own ends the process as the signal does by default; in the latter case it says `message`
// first. False where that cannot be had (Windows, no thread left), or where it is on already.
bool StartSignalGuard(int grace_ms, const std::string& message);

// Takes that back.
void StopSignalGuard();

}  // namespace nninit

#endif  // NNINIT_SYSTEM_SIGNAL_GUARD_H_
