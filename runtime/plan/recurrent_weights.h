// The weights of an LSTM or GRU, packed for sums of 16 rows at once.
#ifndef LANEQUANT_RUNTIME_PLAN_RECURRENT_WEIGHTS_H_
#define LANEQUANT_RUNTIME_PLAN_RECURRENT_WEIGHTS_H_

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace lq {

class RecurrentWeights {
 public:
  RecurrentWeights() = default;
  // `weights`: [rows][columns].
  RecurrentWeights(std::span<const double> weights, size_t rows, size_t columns)
      : rows_(rows), columns_(columns), packed_((rows + kRows - 1) / kRows * kRows * columns) {
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c)
        packed_[(r / kRows * columns + c) * kRows + r % kRows] = weights[r * columns + c];
    }
  }

  // out[r] = sum of x[c] * weight[r][c], from 0 and in the order of c, as the exact simulator has it.
  void Multiply(const double* x, double* out) const {
    for (size_t r = 0; r < rows_; r += kRows) {
      double sums[kRows] = {};
      const double* w = packed_.data() + r * columns_;
      for (size_t c = 0; c < columns_; ++c, w += kRows) {
        for (size_t i = 0; i < kRows; ++i) sums[i] += x[c] * w[i];
      }
      std::copy(sums, sums + std::min(kRows, rows_ - r), out + r);
    }
  }

  size_t columns() const { return columns_; }

 private:
  static constexpr size_t kRows = 16;

  size_t rows_ = 0, columns_ = 0;
  std::vector<double> packed_;  // [rows / 16][columns][16], the last rows filled up with 0
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_RECURRENT_WEIGHTS_H_
