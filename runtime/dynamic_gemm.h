// DynamicGemm: rows of floats quantized on the fly, then an integer product.
#ifndef LANEQUANT_RUNTIME_DYNAMIC_GEMM_H_
#define LANEQUANT_RUNTIME_DYNAMIC_GEMM_H_

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/contracts_min_max.h"
#include "kernels/contracts_quantize.h"
#include "lanequant/executor.h"
#include "lanequant/float_linear.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/float_gemm.h"
#include "runtime/gemm.h"

namespace lq {

class DynamicGemm {
 public:
  static Result<DynamicGemm> Prepare(const FloatWeights& weights, const Encoding& encoding, RowMode mode,
                                     const OutputStage& stage, const PrepareOptions& options);

  size_t WorkspaceBytes(size_t rows, size_t workers) const;
  // `workspace` is aligned; `out` dense.
  void Run(const FloatRows& in, std::byte* out, kernels::OutputType type, std::byte* workspace,
           Executor& executor) const;

  size_t n() const { return gemm_.n(); }
  size_t k() const { return gemm_.k(); }
  const LayerInfo& info() const { return gemm_.info(); }

 private:
  // The parts of the workspace.
  struct Memory {
    std::byte* codes;
    double *offset, *start, *scale;  // one per row
    std::byte* scratch;
  };
  size_t CodeStride() const { return RoundUp(gemm_.k(), 4); }
  size_t CodeBytes(size_t rows) const { return RoundUp(rows * CodeStride(), kAlignment); }
  static size_t ArrayBytes(size_t rows) { return RoundUp(3 * rows * sizeof(double), kAlignment); }
  Memory Divide(std::byte* workspace, size_t rows) const;
  Partition Cut(size_t rows, size_t workers) const { return MakePartition(rows, n(), k(), workers, rows); }
  void QuantizeRow(const FloatRows& in, size_t row, const Memory& memory) const;

  RowMode mode_ = RowMode::kDynamicU8;
  Gemm gemm_;
  std::vector<double> weight_sum_;
  kernels::MinMaxFn min_max_ = nullptr;
  kernels::QuantizeAffineFn quantize_ = nullptr;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_DYNAMIC_GEMM_H_
