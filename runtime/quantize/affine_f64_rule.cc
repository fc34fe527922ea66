#include "runtime/quantize/affine_f64_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "runtime/quantize/affine_checks.h"
#include "runtime/quantize/affine_table.h"
#include "runtime/quantize/first_bad.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Quotients beyond saturate on every grid and with every offset, all of which lie within 2^33. Held here, they are
// rounded to whole numbers, ties to even, by adding a number whose neighbours are 1 apart.
constexpr double kFar = 0x1p50, kRounder = 0x1.8p52;

// Comparisons with a NaN fail: it becomes qmin.
double CodeOf(double units, double offset, double qmin, double qmax) {
  const double below = units > kFar ? kFar : units;
  const double held = below < -kFar ? -kFar : below;
  const double code = (held + kRounder) - kRounder - offset;
  const double raised = code > qmin ? code : qmin;
  return raised < qmax ? raised : qmax;
}

bool IsScale(double scale) { return scale > 0 && scale <= std::numeric_limits<double>::max(); }

bool IsOffset(double offset) {
  constexpr double kLimit = 0x1p31;
  return offset >= -kLimit && offset < kLimit && offset == std::floor(offset);
}

}  // namespace

Result<AffineF64Rule> AffineF64Rule::Make(const AffineTensors& tensors, const AffineQuantizer& quantizer,
                                          Executor& executor) {
  LQ_RETURN_IF_ERROR(CheckAffineTensors(tensors, quantizer));
  LQ_RETURN_IF_ERROR(CheckAffineQuantizer(tensors, quantizer));
  LQ_ASSIGN_OR_RETURN(ScaleMap map, ScaleMap::Make(NamesOf(tensors.op).in, tensors.in.shape, quantizer.scale.shape,
                                                   quantizer.block_size));
  AffineF64Rule rule(std::move(map));
  rule.profile_ = FormulaOf(quantizer);
  rule.float_product_ = rule.profile_ == RoundingProfile::kAimetFakequant && rule.map_.scales() == 1;
  rule.shift_ = double{quantizer.zero_point_shift};
  rule.qmin_ = static_cast<double>(quantizer.qmin);
  rule.qmax_ = static_cast<double>(quantizer.qmax);
  LQ_RETURN_IF_ERROR(rule.ReadScales(quantizer, executor));
  LQ_RETURN_IF_ERROR(rule.ReadOffsets(quantizer, executor));
  return rule;
}

Status AffineF64Rule::ReadScales(const AffineQuantizer& quantizer, Executor& executor) {
  const bool in_float = profile_ == RoundingProfile::kAimetFakequant;
  scale_.resize(map_.scales());
  RunRanges(executor, scale_.size(), kTableGrain, [&](Range range) {
    for (size_t i = range.begin; i < range.end; ++i) {
      const double scale = ScaleAt(quantizer.scale, i);
      scale_[i] = in_float ? double{static_cast<float>(scale)} : scale;
    }
  });
  const size_t bad = FirstBad(executor, scale_.size(), [&](size_t i) { return !IsScale(scale_[i]); });
  if (bad == scale_.size()) return OkStatus();
  const double scale = ScaleAt(quantizer.scale, bad);
  if (IsScale(scale)) {
    return InvalidArgument(fmt::format("scale: element {} is {}, which becomes {} in f32, the type of the arithmetic",
                                       bad, scale, scale_[bad]));
  }
  return InvalidArgument(fmt::format("scale: element {} is {}, not a finite number above 0", bad, scale));
}

Status AffineF64Rule::ReadOffsets(const AffineQuantizer& quantizer, Executor& executor) {
  if (quantizer.offset.bytes.empty()) return OkStatus();
  offset_.resize(map_.scales());
  RunRanges(executor, offset_.size(), kTableGrain, [&](Range range) {
    for (size_t i = range.begin; i < range.end; ++i) offset_[i] = OffsetAt(quantizer.offset, i);
  });
  const size_t bad = FirstBad(executor, offset_.size(), [&](size_t i) { return !IsOffset(offset_[i]); });
  if (bad == offset_.size()) return OkStatus();
  return InvalidArgument(fmt::format("offset: element {} is {}, not a whole number of {}..{}", bad, offset_[bad],
                                     std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

template <class Use>
void AffineF64Rule::ForEachRun(Range range, const Use& use) const {
  for (size_t i = range.begin; i < range.end;) {
    const ScalePiece piece = map_.At(i, range.end);
    for (size_t j = 0; j < piece.n; j += piece.run) {
      const size_t k = piece.first + j / piece.run % piece.count;
      use(i - range.begin + j, std::min(piece.run, piece.n - j), scale_[k], offset_.empty() ? 0 : offset_[k]);
    }
    i += piece.n;
  }
}

void AffineF64Rule::ToCodes(Range range, const double* x, double* q) const {
  const bool divides = profile_ == RoundingProfile::kAimetDiv;
  ForEachRun(range, [&](size_t begin, size_t n, double scale, double offset) {
    const double inverse = double{1.0f / static_cast<float>(scale)};
    for (size_t i = begin; i < begin + n; ++i) {
      q[i] = CodeOf(divides ? x[i] / scale - shift_ : x[i] * inverse, offset, qmin_, qmax_);
    }
  });
}

void AffineF64Rule::ToReals(Range range, double* q) const {
  ForEachRun(range, [&](size_t begin, size_t n, double scale, double offset) {
    const double origin = offset + shift_;
    for (size_t i = begin; i < begin + n; ++i) {
      const double units = q[i] + origin;
      q[i] = float_product_ ? double{static_cast<float>(units) * static_cast<float>(scale)} : units * scale;
    }
  });
}

}  // namespace lq
