// What a fill is: plain data, resolved on a shape. lib/core/fill.ts says what each kind means.
#ifndef NNINIT_TYPES_FILL_H_
#define NNINIT_TYPES_FILL_H_

#include <cstdint>
#include <optional>
#include <type_traits>
#include <variant>

namespace nninit {

struct ConstantFill {
  double value;
};

struct UniformFill {
  double a, b;
};

struct NormalFill {
  double mean, std;
};

struct TruncNormalFill {
  double mean, std, a, b;
};

// `groups` diagonals of `count` elements: element offset + g·group_stride + d·step for g < groups, d < count.
struct DiagonalFill {
  double value;
  uint64_t offset, step, count, groups, group_stride;
};

// Element (r, c) goes to offset + (r·cols + c)·stride; everything between is zero.
struct OrthogonalFill {
  uint64_t rows, cols;
  double gain;
  uint64_t stride = 1, offset = 0;
};

struct SparseFill {
  uint64_t rows, cols;
  uint64_t zeros;  // in each column
  double std;
};

// Each element follows from its index.
using ElementwiseFill = std::variant<ConstantFill, UniformFill, NormalFill, TruncNormalFill, DiagonalFill>;

using Fill =
    std::variant<ConstantFill, UniformFill, NormalFill, TruncNormalFill, DiagonalFill, OrthogonalFill, SparseFill>;

// Depends on a key.
using RandomFill = std::variant<UniformFill, NormalFill, TruncNormalFill, OrthogonalFill, SparseFill>;

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
