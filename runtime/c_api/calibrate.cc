#include "lanequant/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lanequant/c_calibrate.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "runtime/status_macros.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

struct lq_analyzer {
  Analyzer analyzer;
};

namespace {

Result<AnalyzerOptions> ReadAnalyzerOptions(const lq_analyzer_options* given) {
  LQ_ASSIGN_OR_RETURN(const lq_analyzer_options read, ReadStruct("options", given));
  LQ_RETURN_IF_ERROR(CheckEnum("tool", read.tool, 4));
  LQ_RETURN_IF_ERROR(CheckEnum("scheme", read.scheme, 6));
  LQ_RETURN_IF_ERROR(CheckEnum("symmetric", read.symmetric, 2));
  LQ_RETURN_IF_ERROR(CheckEnum("unsigned_symmetric", read.unsigned_symmetric, 2));
  AnalyzerOptions options;
  options.tool = static_cast<CalibrationTool>(read.tool);
  options.scheme = static_cast<CalibrationScheme>(read.scheme);
  options.qmin = read.qmin;
  options.qmax = read.qmax;
  options.symmetric = read.symmetric != 0;
  options.unsigned_symmetric = read.unsigned_symmetric != 0;
  options.zero_point_shift = read.zero_point_shift;
  if (read.scheme == LQ_PERCENTILE) options.percentile = read.percentile;
  LQ_ASSIGN_OR_RETURN(const auto shape, ReadSizes("scale_shape", read.scale_shape));
  LQ_ASSIGN_OR_RETURN(const auto block_size, ReadSizes("block_size", read.block_size));
  options.scale_shape = Shape(shape);
  options.block_size.assign(block_size.begin(), block_size.end());
  return options;
}

void Copy(const std::vector<double>& from, double* to) {
  if (to != nullptr) std::copy(from.begin(), from.end(), to);
}

}  // namespace

lq_status lq_analyzer_create(const lq_analyzer_options* options, lq_analyzer** analyzer, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("analyzer", analyzer));
    LQ_ASSIGN_OR_RETURN(const AnalyzerOptions read, ReadAnalyzerOptions(options));
    LQ_ASSIGN_OR_RETURN(Analyzer created, Analyzer::Create(read));
    *analyzer = new lq_analyzer{std::move(created)};
    return OkStatus();
  });
}

void lq_analyzer_free(lq_analyzer* analyzer) { delete analyzer; }

lq_status lq_analyzer_update(lq_analyzer* analyzer, const lq_tensor* batch, const lq_bulk_options* options,
                             lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("analyzer", analyzer));
    LQ_ASSIGN_OR_RETURN(const TensorView view, ReadTensor("batch", batch));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    return analyzer->analyzer.Update(view, bulk);
  });
}

lq_status lq_analyzer_merge(lq_analyzer* analyzer, const lq_analyzer* other, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("analyzer", analyzer));
    LQ_RETURN_IF_ERROR(CheckPointer("other", other));
    return analyzer->analyzer.Merge(other->analyzer);
  });
}

lq_status lq_analyzer_compute(const lq_analyzer* analyzer, const lq_calibration* calibration,
                              const lq_bulk_options* options, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("analyzer", analyzer));
    LQ_ASSIGN_OR_RETURN(const lq_calibration to, ReadStruct("calibration", calibration));
    LQ_ASSIGN_OR_RETURN(const BulkOptions bulk, ReadBulkOptions(options));
    LQ_ASSIGN_OR_RETURN(const Calibration result, analyzer->analyzer.Compute(bulk));
    if (to.count != result.scale.size()) {
      return InvalidArgument(fmt::format("calibration: count is {}, but scale_shape {} has {} encodings", to.count,
                                         result.shape.ToString(), result.scale.size()));
    }
    Copy(result.min, to.min);
    Copy(result.max, to.max);
    Copy(result.scale, to.scale);
    Copy(result.offset, to.offset);
    return OkStatus();
  });
}
