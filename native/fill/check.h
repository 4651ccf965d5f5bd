// What is refused before anything is written.
#ifndef NNINIT_FILL_CHECK_H_
#define NNINIT_FILL_CHECK_H_

#include <cstdint>
#include <string>

#include "types/fill.h"
#include "types/range.h"

namespace nninit {

// Indices end here: the whole numbers below it are those that JavaScript has.
constexpr uint64_t kMaxElements = uint64_t{1} << 53;

// Why a fill of this range is refused, or an empty string if it is not. Nothing passes that could write outside the
// range.
std::string CheckFill(const Fill& fill, const Range& range);

// "expected what, but received given".
std::string Refusal(const char* what, double given);

}  // namespace nninit

#endif  // NNINIT_FILL_CHECK_H_
