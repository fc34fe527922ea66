// OutputArrays: the per-channel constants of a layer's epilogue, computed once, and the memory that they live in.
#ifndef LANEQUANT_RUNTIME_OUTPUT_ARRAYS_H_
#define LANEQUANT_RUNTIME_OUTPUT_ARRAYS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/weights.h"

namespace lq {

inline constexpr int64_t kInt32Limit = int64_t{1} << 31;

// The largest |q + offset| of an input: accumulators are bounded by it times the sum of |w|.
int64_t LargestCentred(const PerTensor& input);

// The encoding on the unsigned grid that kernels store: same values, code + 2^(bitwidth-1) where it was signed.
PerTensor ToUnsigned(const PerTensor& encoding);

// 0 is a code of this encoding, on an unsigned grid.
inline bool HasZero(const PerTensor& e) { return e.offset <= 0 && -int64_t{e.offset} <= e.grid.qmax(); }

// The same codes, as kernels store them, mean the same values.
bool SameCodes(const PerTensor& a, const PerTensor& b);

// The quantizer of an output with a fused clip, on the unsigned grid. clip bounds are real values (a real tensor's
// rule).
kernels::QuantizeTo MakeQuantizeTo(const PerTensor& encoding, RoundingProfile profile, float clip_min, float clip_max);

class OutputArrays {
 public:
  // `weights` holds all `groups` groups of channels, each of weights.n / groups; every group's arrays start at a
  // multiple of 64 channels. Errors: lengths of bias and batch norm, values that are not finite.
  static Result<OutputArrays> Make(const std::string& name, const WeightSums& weights, size_t groups,
                                   const PerTensor& input, const OutputStage& stage, const PrepareOptions& options);

  OutputArrays() = default;
  OutputArrays(OutputArrays&&) = default;
  OutputArrays& operator=(OutputArrays&&) = default;  // no copies: epilogues point into the vectors, which moves keep

  kernels::Epilogue Group(size_t group) const;

 private:
  struct Fast {
    int32_t window;
    bool usable;
  };
  void Resize(size_t size, const PerTensor& input, const OutputStage& stage);
  void SetUpCodes(const PerTensor& input, const OutputStage& stage, size_t groups, size_t per_group,
                  RoundingProfile profile);
  void SetStart(size_t at, int64_t offset, int64_t sum);
  void SetStage(size_t at, size_t channel, const OutputStage& stage, double bias);

  size_t group_stride_ = 0;
  std::vector<int32_t> start_u8_, start_s8_;
  std::vector<int64_t> start_wide_;
  std::vector<double> start_u16_, start_s16_;                       // of u16 input codes
  std::vector<double> scale_, bias_, bn_mean_, bn_gain_, bn_beta_;  // empty where there is none
  std::vector<double> real_mul_, real_add_;  // of outputs with codes, if they or the input's are u16
  std::vector<float> fast_mul_, fast_add_;
  std::vector<Fast> fast_;  // one per group
  kernels::Epilogue common_{};
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_OUTPUT_ARRAYS_H_
