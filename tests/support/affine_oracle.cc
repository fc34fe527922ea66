#include "tests/support/affine_oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tests/support/tensor_codec.h"

namespace lq::testing {
namespace {

using kernels::Arithmetic;
using enum RoundingProfile;

enum class Stage { kToCodes, kToReals, kBoth };

Arithmetic Own(DType dtype) {
  return dtype == DType::kF16 ? Arithmetic::kF16 : dtype == DType::kBF16 ? Arithmetic::kBF16 : Arithmetic::kF32;
}

// AIMET: eps > 0.25 / n is unstable; the codes at the ends must be numbers of the type.
bool IsStable(DType dtype, int64_t qmin, int64_t qmax) {
  const double eps = dtype == DType::kF16 ? 0x1p-10 : dtype == DType::kBF16 ? 0x1p-7 : 0x1p-23;
  if (eps > 0.25 / static_cast<double>(qmax - qmin)) return false;
  return std::ranges::all_of(std::vector<int64_t>{qmin, qmin + 1, qmax - 1, qmax}, [dtype](int64_t code) {
    return double{RoundToType(dtype, static_cast<float>(code))} == static_cast<double>(code);
  });
}

Arithmetic Division(const AffineProblem& problem) {
  if (IsStable(problem.real, problem.qmin, problem.qmax)) return Own(problem.real);
  return IsStable(DType::kF32, problem.qmin, problem.qmax) ? Arithmetic::kF32 : Arithmetic::kF64;
}

int64_t OffsetOf(const AffineProblem& problem, size_t scale) {
  return problem.offset.empty() ? 0 : problem.offset[scale];
}

bool UsesFakeQuantize(const AffineProblem& problem) {
  if (problem.profile != kAimetFakequant || !problem.block_size.empty() || problem.shift != 0) return false;
  int axes = 0;
  for (const int64_t dim : problem.scale_shape.dims()) axes += dim == 1 ? 0 : 1;
  if (axes > 1) return false;
  if (axes == 0) return true;
  for (size_t k = 0; k < problem.scale.size(); ++k) {
    const int64_t zero_point = -OffsetOf(problem, k);
    if (zero_point < problem.qmin || zero_point > problem.qmax) return false;
  }
  return true;
}

reference::AffineRule RuleOf(const AffineProblem& problem, Stage stage, size_t i) {
  const size_t k = problem.ScaleOf(i);
  reference::AffineRule rule;
  rule.qmin = problem.qmin, rule.qmax = problem.qmax, rule.shift = problem.shift;
  rule.profile = problem.profile == kAimetFakequant && !UsesFakeQuantize(problem) ? kAimetDiv : problem.profile;
  if (rule.profile == kAimetDiv) rule.arithmetic = stage == Stage::kToReals ? Own(problem.real) : Division(problem);
  if (rule.profile == kOnnx && stage != Stage::kToReals) rule.arithmetic = Own(problem.scale_type);
  const DType type = rule.arithmetic == Arithmetic::kF16    ? DType::kF16
                     : rule.arithmetic == Arithmetic::kBF16 ? DType::kBF16
                                                            : DType::kF32;
  rule.scale = RoundToType(type, RoundToType(problem.scale_type, problem.scale[k]));
  const auto offset = static_cast<int32_t>(OffsetOf(problem, k));
  rule.offset = type == DType::kF32 ? offset : static_cast<int32_t>(RoundToType(type, static_cast<float>(offset)));
  return rule;
}

}  // namespace

size_t AffineProblem::ScaleOf(size_t i) const {
  size_t index = 0, stride = 1;
  for (size_t d = 0; d < shape.rank(); ++d) {  // from the last dimension
    const size_t axis = shape.rank() - 1 - d, dim = static_cast<size_t>(shape[axis]);
    const size_t at = i % dim;
    i /= dim;
    if (d >= scale_shape.rank()) continue;
    const size_t scales = static_cast<size_t>(scale_shape[scale_shape.rank() - 1 - d]);
    index += at / (dim / scales) * stride;
    stride *= scales;
  }
  return index;
}

bool AffineProblem::DependsOnTheCpu(size_t i, float x) const {
  if (scale.size() == 1 || !UsesFakeQuantize(*this)) return false;
  return x * (1.0f / scale[ScaleOf(i)]) >= 0x1p63f;
}

std::string AffineProblem::ToString() const {
  return std::string(NameOf(real)) + " -> " + NameOf(codes) + ", shape " + shape.ToString() + ", " +
         NameOf(scale_type) + " scale " + scale_shape.ToString() + ", block " + Shape(block_size).ToString() +
         ", grid " + std::to_string(qmin) + ".." + std::to_string(qmax) + ", shift " + std::to_string(shift) +
         ", profile " + std::to_string(static_cast<int>(profile));
}

std::vector<int64_t> ExpectedCodes(const AffineProblem& problem, std::span<const float> in) {
  std::vector<int64_t> codes(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    codes[i] = reference::QuantizeElement(in[i], RuleOf(problem, Stage::kToCodes, i));
  }
  return codes;
}

std::vector<float> ExpectedReals(const AffineProblem& problem, std::span<const int64_t> codes) {
  std::vector<float> reals(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const float real = reference::DequantizeElement(codes[i], RuleOf(problem, Stage::kToReals, i));
    reals[i] = RoundToType(problem.real, real);
  }
  return reals;
}

std::vector<float> ExpectedQuantizeDequantize(const AffineProblem& problem, std::span<const float> in) {
  std::vector<float> reals(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const float real = reference::QuantizeDequantizeElement(in[i], RuleOf(problem, Stage::kBoth, i));
    reals[i] = RoundToType(problem.real, real);
  }
  return reals;
}

int64_t FirstDifference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) return static_cast<int64_t>(i);
  }
  return -1;
}

int64_t FirstDifference(std::span<const int64_t> a, std::span<const int64_t> b) {
  if (a.size() != b.size()) return 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace lq::testing
