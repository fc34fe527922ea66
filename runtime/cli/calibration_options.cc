#include "runtime/cli/calibration_options.h"

#include <CLI/CLI.hpp>

#include "runtime/cli/choose.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr Choice<CalibrationScheme> kSchemes[] = {
    {"min-max", CalibrationScheme::kMinMax},  {"percentile", CalibrationScheme::kPercentile},
    {"sqnr", CalibrationScheme::kSqnr},       {"tf-enhanced", CalibrationScheme::kTfEnhanced},
    {"entropy", CalibrationScheme::kEntropy}, {"mse", CalibrationScheme::kMse}};
constexpr Choice<CalibrationTool> kTools[] = {{"aimet_torch", CalibrationTool::kAimetTorch},
                                              {"aimet_onnx", CalibrationTool::kAimetOnnx},
                                              {"onnxruntime", CalibrationTool::kOnnxRuntime},
                                              {"quark_torch", CalibrationTool::kQuarkTorch}};

}  // namespace

Result<CalibrationTool> ParseTool(const std::string& name) { return Choose("--tool", name, kTools); }

CLI::Option* CalibrationOptions::AddTo(CLI::App& command) {
  CLI::Option* from_data =
      command.add_option("--from-data", scheme, "Scales from the data, as --tool calibrates: " + NamesOf(kSchemes));
  command.add_option("--tool", tool, "Whose calibration: " + NamesOf(kTools));
  command.add_option("--percentile", percentile, "50 to 100, for --from-data percentile")->needs(from_data);
  CLI::Option* asymmetric_flag =
      command.add_flag("--asymmetric", asymmetric, "Offsets from the data on a signed grid too")->needs(from_data);
  command
      .add_flag("--unsigned-symmetric", unsigned_symmetric, "aimet_onnx: all codes above 0 where no value is negative")
      ->needs(from_data)
      ->excludes(asymmetric_flag);
  return from_data;
}

Result<AnalyzerOptions> CalibrationOptions::Make(bool symmetric) const {
  AnalyzerOptions options;
  LQ_ASSIGN_OR_RETURN(options.scheme, Choose("--from-data", scheme, kSchemes));
  LQ_ASSIGN_OR_RETURN(options.tool, ParseTool(tool));
  options.percentile = percentile;
  options.symmetric = (symmetric || unsigned_symmetric) && !asymmetric;
  options.unsigned_symmetric = unsigned_symmetric;
  return options;
}

}  // namespace lq::cli
