#include <fmt/format.h>

#include <cmath>

#include "runtime/quantize/min_max.h"
#include "runtime/quantize/ranges.h"
#include "runtime/quantize/statistic.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class MinMaxStatistic final : public Analyzer::Statistic {
 public:
  using Statistic::Statistic;

  Status Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) override;
  Status Merge(const Statistic& other) override;
  bool empty() const override { return ranges_.min.empty(); }
  Status Compute(const BulkOptions& bulk, Calibration& encodings) const override;

 private:
  Status Include(const GroupRanges& ranges, DType dtype);
  ToolEncoding EncodingOf(FloatRange range) const;

  DType dtype_ = DType::kF32;
  GroupRanges ranges_{0};
};

Status MinMaxStatistic::Update(const ConstTensorView& batch, const ScaleMap& map, const BulkOptions& bulk) {
  const GroupRanges ranges = MinMaxOf(batch, map, bulk);
  if (options().tool != CalibrationTool::kAimetTorch) LQ_RETURN_IF_ERROR(CheckFinite(ranges));
  return Include(ranges, batch.dtype);
}

Status MinMaxStatistic::Merge(const Statistic& other) {
  const auto& from = static_cast<const MinMaxStatistic&>(other);
  return from.empty() ? OkStatus() : Include(from.ranges_, from.dtype_);
}

Status MinMaxStatistic::Include(const GroupRanges& ranges, DType dtype) {
  if (empty()) {
    ranges_ = GroupRanges(ranges.min.size());
    dtype_ = dtype;
  }
  if (dtype != dtype_) {
    return InvalidArgument(fmt::format("batch of type {}, but those before it were {}", NameOf(dtype), NameOf(dtype_)));
  }
  ranges_.Include(ranges);
  return OkStatus();
}

ToolEncoding MinMaxStatistic::EncodingOf(FloatRange range) const {
  switch (options().tool) {
    case CalibrationTool::kAimetTorch: {
      const TorchRangeRule rule{options().zero_point_shift != 0 ? steps() - 1 : steps(), options().symmetric, true,
                                dtype_ == DType::kF16};
      return TorchEncoding(TorchRange(range, rule), options());
    }
    case CalibrationTool::kAimetOnnx:
      return OnnxEncoding(double{range.min}, double{range.max}, options());
    case CalibrationTool::kOnnxRuntime:
      return OrtEncoding(range, options());
    case CalibrationTool::kQuarkTorch:
      break;
  }
  return QuarkEncoding(range, options());
}

Status MinMaxStatistic::Compute(const BulkOptions&, Calibration& encodings) const {
  for (size_t i = 0; i < ranges_.min.size(); ++i) Store(EncodingOf({ranges_.min[i], ranges_.max[i]}), i, encodings);
  return OkStatus();
}

}  // namespace

Status CheckFinite(const GroupRanges& ranges) {
  for (size_t i = 0; i < ranges.min.size(); ++i) {
    if (std::isfinite(ranges.min[i]) && std::isfinite(ranges.max[i])) continue;
    return InvalidArgument(fmt::format("batch: encoding {} would range from {} to {}; this tool needs finite values", i,
                                       ranges.min[i], ranges.max[i]));
  }
  return OkStatus();
}

std::unique_ptr<Analyzer::Statistic> MakeMinMaxStatistic(const AnalyzerOptions& options) {
  return std::make_unique<MinMaxStatistic>(options);
}

}  // namespace lq
