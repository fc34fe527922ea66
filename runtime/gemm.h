// Gemm: the packed weights, the epilogue and the kernel of a weighted layer; what Linear and Conv2d share.
#ifndef LANEQUANT_RUNTIME_GEMM_H_
#define LANEQUANT_RUNTIME_GEMM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/output_arrays.h"
#include "runtime/packed_weights.h"

namespace lq {

class Gemm {
 public:
  // Packs the weights (packed_weights.h) and chooses the kernel variant. `weights` holds all groups: n / groups
  // channels each.
  static Result<Gemm> Prepare(const FloatWeights& weights, const Encoding& encoding, size_t groups,
                              const PerTensor& input, const OutputStage& stage, const PrepareOptions& options);

  // Rows of u8 codes of one group, or of u16 codes for an input of more than 8 bits, and the output that they go to.
  struct Rows {
    const std::byte* a;
    size_t a_stride, m;  // bytes; RoundUp(k, 4) bytes of each u8 row are readable
    void* out;           // row 0, channel 0 of the whole layer
    size_t out_stride;   // elements
    kernels::OutputType out_type;
    const kernels::RowTerms* terms = nullptr;   // of these rows, where they vary
    const kernels::Patches* patches = nullptr;  // where `a` is an image; only if ReadsPatches()
  };
  // Channels [n_begin, n_end) of the group; n_begin a multiple of 64, n_end too or n().
  void Run(const Rows& rows, size_t group, size_t n_begin, size_t n_end, void* scratch) const;

  size_t n() const { return packed_->n; }  // channels of a group
  size_t k() const { return packed_->k; }
  bool ReadsPatches() const { return !wide_ && packed_->format == WeightFormat::kS8; }
  const WeightSums& sums() const { return packed_->sums; }
  bool sums_fit_s32() const { return sums_fit_s32_; }  // of q + offset of the input
  size_t ScratchBytes(size_t rows) const;
  const LayerInfo& info() const { return info_; }

 private:
  void ChooseKernel(const std::string& max_isa);

  bool wide_ = false;  // u16 codes
  bool sums_fit_s32_ = false;
  SharedWeights packed_;
  OutputArrays output_;
  std::vector<kernels::Epilogue> epilogues_;  // one per group
  kernels::MatmulFn kernel_ = nullptr;
  LayerInfo info_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_GEMM_H_
