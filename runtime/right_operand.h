// RightOperand: the second factor of a product of two activations, packed at run time as the matmul kernels read
// weights.
#ifndef LANEQUANT_RUNTIME_RIGHT_OPERAND_H_
#define LANEQUANT_RUNTIME_RIGHT_OPERAND_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/contracts_pack.h"
#include "lanequant/encoding.h"

namespace lq {

// Where a panel of the right side lies in a matrix [k][n], or [n][k] where channels are rows.
struct PanelSource {
  const std::byte* matrix;
  size_t n, k, n0, count;  // channels n0 .. n0 + count - 1
};

// Codes as weights: s8 or s16, unsigned ones with 2^7 or 2^15 taken off.
class RightOperand {
 public:
  RightOperand() = default;
  RightOperand(const PerTensor& encoding, bool channels_are_rows, const std::string& max_isa);

  bool wide() const { return code_bytes_ == 2; }
  size_t code_bytes() const { return code_bytes_; }
  int64_t offset() const { return offset_; }  // of the weights
  size_t PanelBytes(size_t k) const;
  // weight_sum: of each of the panel's 64 channels.
  void Pack(const PanelSource& source, std::byte* panel, double* weight_sum) const;

 private:
  void PackWide(const PanelSource& source, int16_t* panel, double* weight_sum) const;

  Grid grid_;
  bool channels_are_rows_ = false;
  size_t code_bytes_ = 1;
  int64_t offset_ = 0;
  kernels::PackCodesFn pack_ = nullptr;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_RIGHT_OPERAND_H_
