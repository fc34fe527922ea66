#include <fmt/format.h>

#include "lanequant/calibrate.h"
#include "runtime/quantize/ranges.h"
#include "runtime/quantize/statistic.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr int64_t kMaxHistograms = int64_t{1} << 18;  // of 8 KiB each

constexpr const char* kToolNames[] = {"aimet_torch", "aimet_onnx", "onnxruntime", "quark_torch"};
constexpr const char* kSchemeNames[] = {"min_max", "percentile", "sqnr", "tf_enhanced", "entropy", "mse"};

const char* NameOf(CalibrationTool tool) { return kToolNames[static_cast<size_t>(tool)]; }
const char* NameOf(CalibrationScheme scheme) { return kSchemeNames[static_cast<size_t>(scheme)]; }

bool Has(CalibrationTool tool, CalibrationScheme scheme) {
  using enum CalibrationScheme;
  switch (tool) {
    case CalibrationTool::kAimetTorch:
      return scheme != kEntropy && scheme != kMse;
    case CalibrationTool::kAimetOnnx:
      return scheme == kMinMax || scheme == kPercentile || scheme == kTfEnhanced;
    case CalibrationTool::kOnnxRuntime:
      return scheme == kMinMax || scheme == kPercentile || scheme == kEntropy;
    case CalibrationTool::kQuarkTorch:
      return scheme == kMinMax || scheme == kPercentile || scheme == kMse;
  }
  return false;
}

Status CheckNumbers(const AnalyzerOptions& o) {
  LQ_RETURN_IF_ERROR(CheckCodeRange(o.qmin, o.qmax));
  if (!(o.percentile >= 50 && o.percentile <= 100)) {
    return InvalidArgument(fmt::format("percentile {} is outside 50..100", o.percentile));
  }
  if (o.zero_point_shift != 0.0f && o.zero_point_shift != 0.5f) {
    return InvalidArgument(fmt::format("zero_point_shift {} is neither 0 nor 0.5", o.zero_point_shift));
  }
  if (o.zero_point_shift != 0.0f && o.qmax - o.qmin < 2) {
    return InvalidArgument(
        fmt::format("a zero_point_shift of 0.5 needs 3 codes or more; qmin is {} and qmax {}", o.qmin, o.qmax));
  }
  return OkStatus();
}

Status CheckShapes(const AnalyzerOptions& o) {
  for (const int64_t dim : o.scale_shape.dims()) {
    if (dim < 1)
      return InvalidArgument(fmt::format("scale_shape {} has the dimension {}", o.scale_shape.ToString(), dim));
  }
  const int64_t groups = o.scale_shape.NumElements();
  if (groups < 0) return InvalidArgument(fmt::format("scale_shape {} overflows", o.scale_shape.ToString()));
  if (o.scheme != CalibrationScheme::kMinMax && groups > kMaxHistograms) {
    return Unsupported(fmt::format("scale_shape {} asks for {} histograms; at most {} are kept",
                                   o.scale_shape.ToString(), groups, kMaxHistograms));
  }
  if (o.block_size.empty() || o.block_size.size() == o.scale_shape.rank()) return OkStatus();
  return InvalidArgument(fmt::format("block_size has {} entries, but scale_shape {} has {} dimensions",
                                     o.block_size.size(), o.scale_shape.ToString(), o.scale_shape.rank()));
}

// What the tools have together.
Status CheckCombination(const AnalyzerOptions& o) {
  using enum CalibrationTool;
  if (!Has(o.tool, o.scheme)) {
    return Unsupported(fmt::format("scheme {} of {} is not supported", NameOf(o.scheme), NameOf(o.tool)));
  }
  const bool min_max = o.scheme == CalibrationScheme::kMinMax;
  if (o.zero_point_shift != 0.0f && !(min_max && o.symmetric && (o.tool == kAimetTorch || o.tool == kAimetOnnx))) {
    return Unsupported(
        fmt::format("a zero_point_shift of {} with {} {} of {}; supported with AIMET's symmetric min_max",
                    o.zero_point_shift, o.symmetric ? "symmetric" : "asymmetric", NameOf(o.scheme), NameOf(o.tool)));
  }
  if (o.unsigned_symmetric && !(o.tool == kAimetOnnx && min_max && o.symmetric)) {
    return Unsupported(
        fmt::format("unsigned_symmetric with {} {} of {}; supported with symmetric min_max of aimet_onnx",
                    o.symmetric ? "symmetric" : "asymmetric", NameOf(o.scheme), NameOf(o.tool)));
  }
  if ((o.tool == kOnnxRuntime || o.tool == kQuarkTorch) && !min_max && o.scale_shape.NumElements() != 1) {
    return Unsupported(fmt::format("{} of {} with scale_shape {}; supported for whole tensors", NameOf(o.scheme),
                                   NameOf(o.tool), o.scale_shape.ToString()));
  }
  const int64_t codes = o.qmax - o.qmin + 1;
  if (o.tool == kAimetOnnx && o.scheme == CalibrationScheme::kTfEnhanced && (codes & (codes - 1)) != 0) {
    return Unsupported(fmt::format("tf_enhanced of aimet_onnx with the {} codes {}..{}; supported for powers of two",
                                   codes, o.qmin, o.qmax));
  }
  return OkStatus();
}

bool Equal(const AnalyzerOptions& a, const AnalyzerOptions& b) {
  return a.tool == b.tool && a.scheme == b.scheme && a.qmin == b.qmin && a.qmax == b.qmax &&
         a.symmetric == b.symmetric && a.unsigned_symmetric == b.unsigned_symmetric &&
         a.zero_point_shift == b.zero_point_shift && a.percentile == b.percentile && a.scale_shape == b.scale_shape &&
         a.block_size == b.block_size;
}

std::string Describe(const AnalyzerOptions& o) {
  return fmt::format("{} {} {} on {}..{}, scales {}", NameOf(o.tool), o.symmetric ? "symmetric" : "asymmetric",
                     NameOf(o.scheme), o.qmin, o.qmax, o.scale_shape.ToString());
}

}  // namespace

Result<Analyzer> Analyzer::Create(const AnalyzerOptions& options) {
  LQ_RETURN_IF_ERROR(CheckNumbers(options));
  LQ_RETURN_IF_ERROR(CheckShapes(options));
  LQ_RETURN_IF_ERROR(CheckCombination(options));
  if (options.scheme == CalibrationScheme::kMinMax) return Analyzer(MakeMinMaxStatistic(options));
  if (options.tool == CalibrationTool::kAimetTorch) return Analyzer(MakeHistogramStatistic(options));
  if (options.tool == CalibrationTool::kAimetOnnx) return Analyzer(MakeOnnxStatistic(options));
  if (options.tool == CalibrationTool::kQuarkTorch) return Analyzer(MakeQuarkStatistic(options));
  return Analyzer(MakeOrtStatistic(options));
}

Analyzer::Analyzer(std::unique_ptr<Statistic> statistic) : statistic_(std::move(statistic)) {}
Analyzer::Analyzer(Analyzer&&) noexcept = default;
Analyzer& Analyzer::operator=(Analyzer&&) noexcept = default;
Analyzer::~Analyzer() = default;

Status Analyzer::Update(const ConstTensorView& batch, const BulkOptions& bulk) {
  LQ_RETURN_IF_ERROR(ValidateTarget(bulk.max_isa));
  const AnalyzerOptions& options = statistic_->options();
  const bool half = options.tool == CalibrationTool::kAimetTorch && options.scheme == CalibrationScheme::kMinMax;
  if (batch.dtype != DType::kF32 && !(half && batch.dtype == DType::kF16)) {
    return InvalidArgument(fmt::format("batch of type {}, but {} of {} takes {}", lq::NameOf(batch.dtype),
                                       NameOf(options.scheme), NameOf(options.tool), half ? "f32 or f16" : "f32"));
  }
  LQ_RETURN_IF_ERROR(CheckView("calibration", "batch", batch, batch.shape));
  if (batch.shape.NumElements() == 0) {
    if (options.tool == CalibrationTool::kAimetTorch) return OkStatus();
    return InvalidArgument(fmt::format("batch: shape {} has no elements", batch.shape.ToString()));
  }
  LQ_ASSIGN_OR_RETURN(const ScaleMap map,
                      ScaleMap::Make("batch", batch.shape, options.scale_shape, options.block_size));
  return statistic_->Update(batch, map, bulk);
}

Status Analyzer::Merge(const Analyzer& other) {
  if (!Equal(statistic_->options(), other.statistic_->options())) {
    return InvalidArgument(fmt::format("an analyzer of other options cannot be merged: {} into {}",
                                       Describe(other.statistic_->options()), Describe(statistic_->options())));
  }
  return statistic_->Merge(*other.statistic_);
}

Result<Calibration> Analyzer::Compute(const BulkOptions& bulk) const {
  if (statistic_->empty()) return InvalidArgument("no batch came before Compute");
  Calibration encodings;
  encodings.shape = statistic_->options().scale_shape;
  const size_t groups = static_cast<size_t>(encodings.shape.NumElements());
  for (std::vector<double>* values : {&encodings.min, &encodings.max, &encodings.scale, &encodings.offset}) {
    values->resize(groups);
  }
  LQ_RETURN_IF_ERROR(statistic_->Compute(bulk, encodings));
  return encodings;
}

}  // namespace lq
