// What fuzzing does with one input.
#ifndef NNINIT_TEST_FUZZ_ONE_H_
#define NNINIT_TEST_FUZZ_ONE_H_

#include <cstddef>
#include <cstdint>

namespace nninit {

// Takes the bytes as a fill, runs of one, a fill of the engine torch or its state, and does what they say if the checks
// let them pass. Why that was wrong, or null.
const char* FuzzOne(const uint8_t* bytes, size_t size);

}  // namespace nninit

#endif  // NNINIT_TEST_FUZZ_ONE_H_
