// Which SIMD target runs.
#ifndef NNINIT_SYSTEM_TARGETS_H_
#define NNINIT_SYSTEM_TARGETS_H_

#include <string>
#include <vector>

namespace nninit {

// The targets that this build has and this machine runs, best first, by Highway's names.
std::vector<std::string> Targets();

// The one in use.
std::string Target();

// Uses the named target from now on, or the best one again if the name is empty; false if it is not among Targets().
// Acts on the whole process: no fill may be running.
bool ForceTarget(const std::string& name);

}  // namespace nninit

#endif  // NNINIT_SYSTEM_TARGETS_H_
