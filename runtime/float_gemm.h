// FloatGemm: floats x codes with float scales; the packed weights, the epilogue and the kernel.
#ifndef LANEQUANT_RUNTIME_FLOAT_GEMM_H_
#define LANEQUANT_RUNTIME_FLOAT_GEMM_H_

#include <cstddef>
#include <string>

#include "kernels/contracts_matmul_float.h"
#include "lanequant/executor.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/output_arrays.h"
#include "runtime/packed_weights.h"
#include "runtime/partition.h"

namespace lq {

// Dense rows of a layer's input.
struct FloatRows {
  const std::byte* data;
  kernels::FloatType type;
  size_t count;

  size_t ElementBytes() const { return type == kernels::FloatType::kF32 ? 4 : 2; }
};

class FloatGemm {
 public:
  // Errors: of PackFloatScaleWeights and OutputArrays.
  static Result<FloatGemm> Prepare(const FloatWeights& weights, const Encoding& encoding, const OutputStage& stage,
                                   const PrepareOptions& options);

  size_t WorkspaceBytes(size_t rows, size_t workers) const;
  // `workspace` is aligned; `out` dense.
  void Run(const FloatRows& in, std::byte* out, kernels::OutputType type, std::byte* workspace,
           Executor& executor) const;

  size_t n() const { return packed_->n; }
  size_t k() const { return packed_->k; }
  const LayerInfo& info() const { return info_; }

 private:
  Partition Cut(size_t rows, size_t workers) const;
  size_t ScratchBytes(size_t rows) const { return kernels::MatmulFloatScratchBytes(rows, k(), packed_->block); }

  SharedWeights packed_;
  OutputArrays output_;
  kernels::Epilogue epilogue_{};
  kernels::MatmulFloatFn kernel_ = nullptr;
  LayerInfo info_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_FLOAT_GEMM_H_
