// What a fill is: plain data, resolved on a shape. lib/core/fill.ts says what each kind means.
#ifndef NNINIT_TYPES_FILL_H_
#define NNINIT_TYPES_FILL_H_

#include <cstdint>
#include <optional>
#include <type_traits>
#include <variant>

namespace nninit {

// Every element is `value`.
struct ConstantFill {
  double value;
};

// U[a, b): a ≤ x < b in the tensor's dtype; every element is a where a = b.
struct UniformFill {
  double a, b;
};

// N(mean, std²).
struct NormalFill {
  double mean, std;
};

// N(mean, std²) conditioned on [a, b]; `a` and `b` are absolute values, not multiples of std.
struct TruncNormalFill {
  double mean, std, a, b;
};

// Zero, except for `groups` diagonals of `count` elements that are `value`: element offset + g·group_stride + d·step
// for g < groups, d < count.
struct DiagonalFill {
  double value;
  uint64_t offset, step, count, groups, group_stride;
};

// A Haar-distributed matrix of orthonormal rows or columns, whichever are fewer, times `gain`. Element (r, c) is stored
// at offset + (r·cols + c)·stride, everything else is zero.
struct OrthogonalFill {
  uint64_t rows, cols;
  double gain;
  uint64_t stride = 1, offset = 0;
};

// N(0, std²), with `zeros` randomly chosen elements of each column of the rows × cols matrix set to zero.
struct SparseFill {
  uint64_t rows, cols;
  uint64_t zeros;
  double std;
};

// ln of U[a, b), 0 < a ≤ b.
struct LogOfUniformFill {
  double a, b;
};

// softplus⁻¹ of exp of U[ln min, ln max), but at least `floor`.
struct DtBiasFill {
  double min, max, floor;
};

// ln(start + i), where i is the index modulo cols.
struct LogArangeFill {
  double start;
  uint64_t cols;
};

// sin and cos of row·base^(−2·pair/denominator): of pairs of columns, or of all sines, then all cosines.
struct SinusoidFill {
  uint64_t cols;
  double base;
  uint64_t denominator;
  bool interleaved;
};

// Each element is a function of key and index, so these can be cut into ranges; the others run whole.
using ElementwiseFill = std::variant<ConstantFill, UniformFill, NormalFill, TruncNormalFill, DiagonalFill,
                                     LogOfUniformFill, DtBiasFill, LogArangeFill, SinusoidFill>;

using Fill = std::variant<ConstantFill, UniformFill, NormalFill, TruncNormalFill, DiagonalFill, OrthogonalFill,
                          SparseFill, LogOfUniformFill, DtBiasFill, LogArangeFill, SinusoidFill>;

// Those that draw, and so depend on a key.
using RandomFill =
    std::variant<UniformFill, NormalFill, TruncNormalFill, OrthogonalFill, SparseFill, LogOfUniformFill, DtBiasFill>;

// A fill as one of fewer kinds, if it is of these.
template <class Kinds>
std::optional<Kinds> As(const Fill& fill) {
  return std::visit(
      [](const auto& kind) -> std::optional<Kinds> {
        if constexpr (std::is_constructible_v<Kinds, decltype(kind)>) {
          return Kinds(kind);
        } else {
          return std::nullopt;
        }
      },
      fill);
}

// One function of several lambdas, for std::visit.
template <class... Lambdas>
struct Overloaded : Lambdas... {
  using Lambdas::operator()...;
};
template <class... Lambdas>
Overloaded(Lambdas...) -> Overloaded<Lambdas...>;

}  // namespace nninit

#endif  // NNINIT_TYPES_FILL_H_
