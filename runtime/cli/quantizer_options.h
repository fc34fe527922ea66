// What the command line says about a quantizer: files or the data for its scales, a grid, blocks.
#ifndef LANEQUANT_RUNTIME_CLI_QUANTIZER_OPTIONS_H_
#define LANEQUANT_RUNTIME_CLI_QUANTIZER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/cli/calibration_options.h"
#include "runtime/io/npz.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lq::cli {

// An AffineQuantizer that owns its arrays.
struct OwnedQuantizer {
  NamedArray scale{"scale", DType::kF32, {}, {}};  // f32, or f64 for values of f64
  std::vector<int32_t> offset;
  std::vector<int64_t> block_size;
  AffineQuantizer rest;  // without the views

  AffineQuantizer View() const;
};

struct QuantizerOptions {
  std::string scale, offset;  // FILE.npz[:key]
  CalibrationOptions calibration;
  int bitwidth = 8;
  bool is_unsigned = false;
  std::optional<int64_t> qmin, qmax;
  std::vector<int64_t> block_size;
  std::optional<int> axis;
  std::string profile = "aimet_div";
  float zero_point_shift = 0.0f;

  void AddTo(CLI::App& command);
  bool empty() const { return scale.empty() && calibration.scheme.empty(); }
  // For this tensor, whose real values have the type `values`. Errors name the option, or the file and the array.
  Result<OwnedQuantizer> Make(const NamedArray& tensor, DType values, const BulkOptions& bulk) const;
  // Only --scale, --block-size and --axis.
  Result<OwnedQuantizer> MakeScales(const Shape& tensor) const;
  // Which shape of scales --axis or --block-size stands for.
  Result<Shape> ScaleShape(const Shape& tensor) const;

 private:
  Status ReadScales(const Shape& tensor, OwnedQuantizer& quantizer) const;
  Status ComputeScales(const NamedArray& tensor, const BulkOptions& bulk, OwnedQuantizer& quantizer) const;
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_QUANTIZER_OPTIONS_H_
