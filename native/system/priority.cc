#include "system/priority.h"

#include <algorithm>

#ifdef _WIN32
#include <windows.h>
#elif defined(__linux__)
#include <sys/resource.h>
#endif

namespace nninit {

void StandBack(int niceness) {
#ifdef _WIN32
  if (niceness > 0) SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
#elif defined(__linux__)
  // There 0 is the calling thread, whatever POSIX says of processes.
  const int now = getpriority(PRIO_PROCESS, 0);
  setpriority(PRIO_PROCESS, 0, std::min(now + niceness, kMostNiceness));
#else
  static_cast<void>(niceness);
#endif
}

}  // namespace nninit
