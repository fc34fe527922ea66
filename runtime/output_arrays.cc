#include "runtime/output_arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/epilogue.h"
#include "kernels/epilogue_setup.h"
#include "kernels/packing.h"
#include "runtime/aligned_buffer.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

Status CheckLength(const std::string& name, const char* what, size_t have, size_t want) {
  if (have == want) return OkStatus();
  return InvalidArgument(fmt::format("{}: {} {} values, but {} output channels", name, have, what, want));
}

Status CheckFinite(const std::string& name, const char* what, std::span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return InvalidArgument(fmt::format("{}: {} {} is {}", name, what, i, values[i]));
  }
  return OkStatus();
}

Status CheckBatchNorm(const std::string& name, const BatchNorm& bn, size_t n) {
  const struct {
    const char* what;
    std::span<const float> values;
  } arrays[] = {{"gamma", bn.gamma}, {"beta", bn.beta}, {"mean", bn.mean}, {"variance", bn.variance}};
  for (const auto& array : arrays) {
    LQ_RETURN_IF_ERROR(CheckLength(name, array.what, array.values.size(), n));
    LQ_RETURN_IF_ERROR(CheckFinite(name, array.what, array.values));
  }
  for (size_t i = 0; i < n; ++i) {
    if (double{bn.variance[i]} + double{bn.epsilon} > 0) continue;
    return InvalidArgument(
        fmt::format("{}: variance {} is {}, with epsilon {} not above 0", name, i, bn.variance[i], bn.epsilon));
  }
  return OkStatus();
}

Status CheckStage(const std::string& name, const OutputStage& stage, size_t n) {
  if (!stage.bias.empty()) LQ_RETURN_IF_ERROR(CheckLength(name, "bias", stage.bias.size(), n));
  if (!stage.coded_bias.empty()) LQ_RETURN_IF_ERROR(CheckLength(name, "bias", stage.coded_bias.size(), n));
  LQ_RETURN_IF_ERROR(CheckFinite(name, "bias", stage.bias));
  for (size_t i = 0; i < stage.coded_bias.size(); ++i) {
    if (!std::isfinite(stage.coded_bias[i])) {
      return InvalidArgument(fmt::format("{}: bias {} is {}", name, i, stage.coded_bias[i]));
    }
  }
  if (stage.batch_norm) LQ_RETURN_IF_ERROR(CheckBatchNorm(name, *stage.batch_norm, n));
  if (!std::isfinite(stage.alpha) || !std::isfinite(stage.beta)) {
    return InvalidArgument(fmt::format("{}: alpha is {}, beta is {}", name, stage.alpha, stage.beta));
  }
  if (stage.alpha != 1.0f && stage.batch_norm) {
    return Unsupported(fmt::format("{}: alpha {} before a batch normalization", name, stage.alpha));
  }
  if (std::isnan(stage.clip_min) || std::isnan(stage.clip_max)) {
    return InvalidArgument(fmt::format("{}: clip bounds {} and {}", name, stage.clip_min, stage.clip_max));
  }
  if (!stage.encoding) return OkStatus();
  return ValidateEncoding(name + " output", *stage.encoding, Shape{});
}

// The bias of channel i as a real number (exact_simulator.md 4).
double BiasValue(const OutputStage& stage, size_t i, double s_x, double s_w, BiasMode mode) {
  if (stage.bias.empty() && stage.coded_bias.empty()) return 0;
  const double beta = stage.beta;
  if (!stage.coded_bias.empty()) return beta * stage.coded_bias[i];
  const double bias = beta * double{stage.bias[i]};
  if (mode == BiasMode::kFloat) return bias;
  const double s_b = static_cast<float>(s_x * s_w);
  const double code = std::clamp<double>(std::nearbyint(bias / s_b), std::numeric_limits<int32_t>::min(),
                                         std::numeric_limits<int32_t>::max());
  return code * s_b;
}

}  // namespace

int64_t LargestCentred(const PerTensor& input) {
  const int64_t low = input.grid.qmin() + input.offset, high = input.grid.qmax() + input.offset;
  return std::max(std::abs(low), std::abs(high));
}

PerTensor ToUnsigned(const PerTensor& encoding) {
  PerTensor result = encoding;
  result.grid.is_signed = false;
  result.offset += static_cast<int32_t>(encoding.grid.qmin());
  return result;
}

bool SameCodes(const PerTensor& a, const PerTensor& b) { return ToUnsigned(a) == ToUnsigned(b); }

kernels::QuantizeTo MakeQuantizeTo(const PerTensor& encoding, RoundingProfile profile, float clip_min, float clip_max) {
  const PerTensor e = ToUnsigned(encoding);
  const auto qmax = static_cast<int32_t>(e.grid.qmax());
  kernels::QuantizeTo to{e.scale, e.offset, 0, qmax, 0, qmax, profile};
  // The clamp lemma: Q(clip(y, a, b)) = clamp(Q(y), Q(a), Q(b)).
  const int32_t lo = kernels::CodeOf(clip_min, to), hi = kernels::CodeOf(clip_max, to);
  to.lo = lo;
  to.hi = hi;
  return to;
}

Result<OutputArrays> OutputArrays::Make(const std::string& name, const WeightSums& weights, size_t groups,
                                        const PerTensor& input, const OutputStage& stage,
                                        const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(CheckStage(name, stage, weights.n));
  // |offset * sum of w| must stay in 63 bits.
  if (weights.largest_absolute_sum > (int64_t{1} << 62) / (LargestCentred(input) + 65536)) {
    return Unsupported(
        fmt::format("{}: sums over {} inputs with offset {} could leave 63 bits", name, weights.k, input.offset));
  }
  OutputArrays arrays;
  const size_t per_group = weights.n / groups;
  arrays.group_stride_ = RoundUp(per_group, kernels::kPanelChannels);
  arrays.Resize(arrays.group_stride_ * groups, input, stage);
  const double s_x = input.scale;
  const int64_t offset = ToUnsigned(input).offset;
  for (size_t i = 0; i < weights.n; ++i) {
    const size_t at = i / per_group * arrays.group_stride_ + i % per_group;
    arrays.SetStart(at, offset, weights.sum[i]);
    arrays.scale_[at] = s_x * weights.scale[i];
    arrays.SetStage(at, i, stage, BiasValue(stage, i, s_x, weights.scale[i], options.bias));
  }
  arrays.common_.narrow = weights.largest_absolute_sum <= (kInt32Limit - 1) / LargestCentred(input);
  arrays.common_.clip_min = stage.clip_min;
  arrays.common_.clip_max = stage.clip_max;
  if (stage.encoding) arrays.SetUpCodes(input, stage, groups, per_group, options.profile);
  return arrays;
}

void OutputArrays::SetUpCodes(const PerTensor& input, const OutputStage& stage, size_t groups, size_t per_group,
                              RoundingProfile profile) {
  common_.to = MakeQuantizeTo(*stage.encoding, profile, stage.clip_min, stage.clip_max);
  const bool wide = CodeBytes(input.grid) == 2 || CodeBytes(stage.encoding->grid) == 2;
  for (auto* array : {&fast_mul_, &fast_add_}) array->resize(wide ? 0 : scale_.size());
  for (auto* array : {&real_mul_, &real_add_}) array->resize(wide ? scale_.size() : 0);
  for (size_t g = 0; g < groups; ++g) {
    kernels::Epilogue epilogue = Group(g);
    const size_t first = g * group_stride_;
    if (wide) {
      kernels::SetUpRealEpilogue(per_group, &real_mul_[first], &real_add_[first], &epilogue);
    } else {
      kernels::SetUpFastEpilogue(per_group, &fast_mul_[first], &fast_add_[first], &epilogue);
      fast_.push_back({epilogue.window, epilogue.fast});
    }
  }
}

void OutputArrays::Resize(size_t size, const PerTensor& input, const OutputStage& stage) {
  const bool wide = CodeBytes(input.grid) == 2;
  for (auto* array : {&start_u16_, &start_s16_}) array->resize(wide ? size : 0);
  start_u8_.resize(size);
  start_s8_.resize(size);
  start_wide_.resize(size);
  scale_.resize(size);
  const bool has_bias = !stage.bias.empty() || !stage.coded_bias.empty();
  // alpha comes before the bias: (y - 0) * alpha + b has the same roundings as alpha * y + b.
  const bool affine = stage.batch_norm || stage.alpha != 1.0f;
  if (has_bias && stage.alpha == 1.0f) bias_.resize(size);
  if (!affine) return;
  bn_mean_.resize(size);
  bn_gain_.resize(size);
  bn_beta_.resize(size);
}

void OutputArrays::SetStart(size_t at, int64_t offset, int64_t sum) {
  start_wide_[at] = offset * sum;
  if (!start_u16_.empty()) {
    start_u16_[at] = static_cast<double>(offset * sum);
    start_s16_[at] = static_cast<double>((offset + 128 * 257) * sum);
  }
  // Modulo 2^32: only the finished accumulator has to fit.
  start_u8_[at] = static_cast<int32_t>(static_cast<uint32_t>(offset * sum));
  start_s8_[at] = static_cast<int32_t>(static_cast<uint32_t>((offset + 128) * sum));
}

void OutputArrays::SetStage(size_t at, size_t channel, const OutputStage& stage, double bias) {
  if (!bias_.empty()) bias_[at] = bias;
  if (stage.batch_norm) {
    const BatchNorm& bn = *stage.batch_norm;
    bn_mean_[at] = bn.mean[channel];
    bn_gain_[at] = double{bn.gamma[channel]} / std::sqrt(double{bn.variance[channel]} + double{bn.epsilon});
    bn_beta_[at] = bn.beta[channel];
  } else if (!bn_gain_.empty()) {
    const bool has_bias = !stage.bias.empty() || !stage.coded_bias.empty();
    bn_gain_[at] = stage.alpha;
    bn_beta_[at] = has_bias ? bias : -0.0;  // + 0.0 would lose the sign of alpha * 0
  }
}

kernels::Epilogue OutputArrays::Group(size_t group) const {
  const size_t first = group * group_stride_;
  const auto at = [first](const auto& array) { return array.empty() ? nullptr : array.data() + first; };
  kernels::Epilogue epilogue = common_;
  epilogue.start_u8 = at(start_u8_);
  epilogue.start_s8 = at(start_s8_);
  epilogue.start_wide = at(start_wide_);
  epilogue.start_u16 = at(start_u16_);
  epilogue.start_s16 = at(start_s16_);
  epilogue.real_mul = at(real_mul_);
  epilogue.real_add = at(real_add_);
  epilogue.scale = at(scale_);
  epilogue.bias = at(bias_);
  epilogue.bn_mean = at(bn_mean_);
  epilogue.bn_gain = at(bn_gain_);
  epilogue.bn_beta = at(bn_beta_);
  epilogue.fast_mul = at(fast_mul_);
  epilogue.fast_add = at(fast_add_);
  if (group < fast_.size()) {
    epilogue.window = fast_[group].window;
    epilogue.fast = fast_[group].usable;
  }
  return epilogue;
}

}  // namespace lq
