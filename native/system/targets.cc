#include "system/targets.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

namespace nninit {
namespace {

std::vector<int64_t> Available() {
  static const std::vector<int64_t> targets = [] {
    std::vector<int64_t> all;
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) all.push_back(target);
    return all;
  }();
  return targets;
}

}  // namespace

std::vector<std::string> Targets() {
  std::vector<std::string> names;
  for (const int64_t target : Available()) names.emplace_back(hwy::TargetName(target));
  return names;
}

std::string Target() {
  for (const int64_t target : Available()) {
    if (hwy::SupportedTargets() & target) return hwy::TargetName(target);
  }
  return "unknown";
}

bool ForceTarget(const std::string& name) {
  Available();  // Must be known before the set of supported targets is narrowed.
  int64_t chosen = 0;
  for (const int64_t target : Available()) {
    if (name == hwy::TargetName(target)) chosen = target;
  }
  if (!name.empty() && chosen == 0) return false;
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return true;
}

}  // namespace nninit
