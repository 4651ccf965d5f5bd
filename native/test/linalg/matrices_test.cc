#include <doctest/doctest.h>

#include <cmath>

#include "test/support.h"

namespace nninit {
namespace {

// max |QᵀQ − gain²·I| over the shorter side.
double Defect(const std::vector<double>& q, size_t rows, size_t cols, double gain) {
  const bool tall = rows >= cols;
  const size_t n = tall ? cols : rows;
  const size_t m = tall ? rows : cols;
  double worst = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) {
      double dot = 0;
      for (size_t k = 0; k < m; ++k)
        dot += tall ? q[k * cols + i] * q[k * cols + j] : q[i * cols + k] * q[j * cols + k];
      worst = test::Worse(worst, std::fabs(dot - (i == j ? gain * gain : 0)));
    }
  }
  return worst;
}

TEST_CASE("orthogonal fills are orthogonal at every shape") {
  const size_t sides[] = {1, 2, 3, 47, 48, 49, 63, 64, 65, 130};
  for (const size_t rows : sides) {
    for (const size_t cols : sides) {
      CAPTURE(rows);
      CAPTURE(cols);
      const OrthogonalFill fill{rows, cols, 1.5, 1, 0};
      CHECK(Defect(test::Values(fill, {1, 2}, Dtype::kFloat64, rows * cols), rows, cols, 1.5) < 1e-14);
      CHECK(Defect(test::Values(fill, {1, 2}, Dtype::kFloat32, rows * cols), rows, cols, 1.5) < 3e-6);
    }
  }
}

TEST_CASE("the product of reflections is the Q of the Gaussian matrix they were made of, signs included") {
  // Reflector k maps a normal vector g_k onto the first axis, so Qᵀ·(column built from g_k) is triangular with positive
  // diagonal: for k = 0 the first column of Q is g_0 normalized.
  const size_t m = 50;
  const Key key{3, 4};
  const auto q = test::Values(OrthogonalFill{50, 20, 1, 1, 0}, key, Dtype::kFloat64, m * 20);
  const auto g = test::Values(NormalFill{0, 1}, key, Dtype::kFloat64, m);
  double norm = 0;
  for (double x : g) norm += x * x;
  for (size_t i = 0; i < m; ++i) CHECK(std::fabs(q[i * 20] - g[i] / std::sqrt(norm)) < 1e-14);
}

TEST_CASE("square orthogonal matrices have both determinants and no preferred corner") {
  // det(Q) = ±1 with equal chance; E[q_nn] = 0 would fail without the signs of R.
  int positive = 0;
  double last = 0;
  const int trials = 2000;
  for (int t = 0; t < trials; ++t) {
    const auto q = test::Values(OrthogonalFill{2, 2, 1, 1, 0}, {99, static_cast<uint64_t>(t)}, Dtype::kFloat64, 4);
    positive += q[0] * q[3] - q[1] * q[2] > 0;
    last += q[3];
  }
  CHECK(std::fabs(positive - trials / 2.0) < 5 * std::sqrt(trials / 4.0));
  CHECK(std::fabs(last / trials) < 5 * std::sqrt(0.5 / trials));
}

TEST_CASE("a strided orthogonal fill is the plain one at the taps and zero between") {
  const Key key{5, 6};
  const auto plain = test::Values(OrthogonalFill{30, 20, 2, 1, 0}, key, Dtype::kFloat32, 600);
  const auto strided = test::Values(OrthogonalFill{30, 20, 2, 9, 4}, key, Dtype::kFloat32, 5400);
  for (size_t i = 0; i < strided.size(); ++i) REQUIRE(strided[i] == (i % 9 == 4 ? plain[i / 9] : 0));
}

TEST_CASE("sparse fills have their zeros in each column, the rest as normal_ would") {
  const size_t rows = 200, cols = 150, zeros = 37;
  const Key key{8, 1};
  const auto dense = test::Values(NormalFill{0, 0.5}, key, Dtype::kFloat32, rows * cols);
  const auto sparse = test::Values(SparseFill{200, 150, 37, 0.5}, key, Dtype::kFloat32, rows * cols);
  std::vector<double> by_row(rows, 0);
  for (size_t c = 0; c < cols; ++c) {
    size_t count = 0;
    for (size_t r = 0; r < rows; ++r) {
      const double x = sparse[r * cols + c];
      if (x == 0) {
        ++count;
        by_row[r] += 1;
      } else {
        REQUIRE(x == dense[r * cols + c]);
      }
    }
    REQUIRE(count == zeros);
  }
  // Every row is chosen as often: χ² with 199 degrees of freedom, six standard deviations.
  const double p = 37.0 / 200, expected = 150 * p;
  double chi2 = 0;
  for (double n : by_row) chi2 += (n - expected) * (n - expected) / (expected * (1 - p));
  CHECK(std::fabs(chi2 - 199) < 6 * std::sqrt(2 * 199.0));
}

}  // namespace
}  // namespace nninit
