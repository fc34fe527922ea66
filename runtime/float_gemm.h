// FloatGemm: floats x codes with float scales, or x floats; the packed weights, the epilogue and the kernel.
#ifndef LANEQUANT_RUNTIME_FLOAT_GEMM_H_
#define LANEQUANT_RUNTIME_FLOAT_GEMM_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

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

// The output arrays of layers whose totals are real already: channels of scale 1, and no codes whose offset would have
// to be added up. An int32 bias would have the input's scale, and there is none: biases are floats.
Result<OutputArrays> RealOutputArrays(const std::string& name, size_t channels, size_t groups, const OutputStage& stage,
                                      const PrepareOptions& options);

// LayerInfo::float_error of sums of so many roundings: one more each for an input that was a real or a code, a weight
// that was rounded to a float, LPBQ's float scale, and the output's float. 1.01: what is beyond the first order.
inline double FloatError(double roundings) { return 1.01 * (roundings + 4) * 0x1p-24; }

class FloatGemm {
 public:
  // `weights` holds all groups: n channels each. Errors: of PackFloatScaleWeights and OutputArrays.
  static Result<FloatGemm> Prepare(const FloatWeights& weights, const std::optional<Encoding>& encoding, size_t groups,
                                   const OutputStage& stage, const PrepareOptions& options);

  // Rows of one group, and the output that they go to.
  struct Rows {
    const std::byte* a;
    size_t a_stride, m;  // bytes
    void* out;           // row 0, channel 0 of the whole layer
    size_t out_stride;   // elements
    kernels::OutputType out_type;
    kernels::FloatType type = kernels::FloatType::kF32;
  };
  // Channels [n_begin, n_end) of the group; n_begin a multiple of 64, n_end too or n().
  void Run(const Rows& rows, size_t group, size_t n_begin, size_t n_end, void* scratch) const;
  size_t ScratchBytes(size_t rows) const { return kernels::MatmulFloatScratchBytes(rows, k(), packed_->block); }

  // All rows of a layer of one group. `workspace` is aligned; `out` dense.
  size_t WorkspaceBytes(size_t rows, size_t workers) const;
  void Run(const FloatRows& in, std::byte* out, kernels::OutputType type, std::byte* workspace,
           Executor& executor) const;

  size_t n() const { return packed_->n; }  // channels of a group
  size_t k() const { return packed_->k; }
  const LayerInfo& info() const { return info_; }

  static constexpr size_t kIntegerProducts = 4;  // that the units for integers do in the time of a float one

 private:
  void ChooseKernel(const std::string& max_isa);
  Partition Cut(size_t rows, size_t workers) const;

  SharedWeights packed_;
  OutputArrays output_;
  std::vector<kernels::Epilogue> epilogues_;  // one per group
  kernels::MatmulFloatFn kernel_ = nullptr;
  LayerInfo info_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_FLOAT_GEMM_H_
