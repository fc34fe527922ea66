// What the command line says about a quantizer: files or the data for its scales, a grid, blocks.
#ifndef LANEQUANT_RUNTIME_CLI_QUANTIZER_OPTIONS_H_
#define LANEQUANT_RUNTIME_CLI_QUANTIZER_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/io/npz.h"

namespace lq::cli {

// An AffineQuantizer that owns its arrays.
struct OwnedQuantizer {
  Shape scale_shape;
  std::vector<float> scale;
  std::vector<int32_t> offset;
  std::vector<int64_t> block_size;
  AffineQuantizer rest;  // without the views

  AffineQuantizer View() const;
};

struct QuantizerOptions {
  std::string scale, offset;  // FILE.npz[:key]
  std::string from_data;      // min-max or sqnr: the scales are computed
  int bitwidth = 8;
  bool is_unsigned = false;
  std::optional<int64_t> qmin, qmax;
  std::vector<int64_t> block_size;
  std::optional<int> axis;
  std::string profile = "aimet_div";
  float zero_point_shift = 0.0f;

  void AddTo(CLI::App& command);
  // For this tensor. Errors name the option, or the file and the array.
  Result<OwnedQuantizer> Make(const NamedArray& tensor, const BulkOptions& bulk) const;

 private:
  // Which shape of scales --axis or --block-size stands for.
  Result<Shape> ScaleShape(const Shape& tensor) const;
  Status ReadScales(const Shape& tensor, OwnedQuantizer& quantizer) const;
  Status ComputeScales(const NamedArray& tensor, const BulkOptions& bulk, OwnedQuantizer& quantizer) const;
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_QUANTIZER_OPTIONS_H_
