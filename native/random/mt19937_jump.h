// Jumping ahead in MT19937: Haramoto, Matsumoto, Nishimura, Panneton and L'Ecuyer, "Efficient jump ahead for F2-linear
// random number generators", 2008.
#ifndef NNINIT_RANDOM_MT19937_JUMP_H_
#define NNINIT_RANDOM_MT19937_JUMP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nninit {

constexpr size_t kMtDegree = 19937;

// The exponents of x^distance modulo MT19937's characteristic polynomial, in ascending order. Word `distance` + j of a
// sequence that obeys the recurrence is the exclusive or of its words i + j over these exponents i. The last few
// distances are remembered.
std::shared_ptr<const std::vector<uint16_t>> JumpIndices(uint64_t distance);

// The exponents of the characteristic polynomial itself.
const std::vector<uint16_t>& MtCharacteristic();

}  // namespace nninit

#endif  // NNINIT_RANDOM_MT19937_JUMP_H_
