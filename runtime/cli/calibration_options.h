// Scales from the data: which tool's calibration, and its numbers.
#ifndef LANEQUANT_RUNTIME_CLI_CALIBRATION_OPTIONS_H_
#define LANEQUANT_RUNTIME_CLI_CALIBRATION_OPTIONS_H_

#include <string>

#include "lanequant/calibrate.h"
#include "lanequant/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lq::cli {

// "aimet_torch", "aimet_onnx", "onnxruntime" or "quark_torch".
Result<CalibrationTool> ParseTool(const std::string& name);

struct CalibrationOptions {
  std::string scheme;  // "": none
  std::string tool = "aimet_torch";
  double percentile = 100;
  bool asymmetric = false, unsigned_symmetric = false;

  // Returns --from-data.
  CLI::Option* AddTo(CLI::App& command);
  // `symmetric`: where the options do not say it. The grid, the shift and the shapes are left to the caller.
  Result<AnalyzerOptions> Make(bool symmetric) const;
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_CALIBRATION_OPTIONS_H_
