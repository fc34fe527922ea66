#include "runtime/cli/quantizer_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "lanequant/calibrate.h"
#include "runtime/cli/arrays.h"
#include "runtime/cli/model_options.h"
#include "runtime/io/array_element.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

Result<std::vector<int32_t>> ToOffsets(const std::string& where, const NamedArray& array) {
  std::vector<int32_t> offsets(static_cast<size_t>(array.shape.NumElements()));
  for (size_t i = 0; i < offsets.size(); ++i) {
    const double offset = NumberAt(array, i);
    if (offset != std::floor(offset) || std::abs(offset) > std::numeric_limits<int32_t>::max()) {
      return InvalidArgument(fmt::format("{}: offset {} is {}, no whole number of 32 bits", where, i, offset));
    }
    offsets[i] = static_cast<int32_t>(offset);
  }
  return offsets;
}

void Append(double number, NamedArray& array) {
  const auto narrow = static_cast<float>(number);
  const bool wide = array.dtype == DType::kF64;
  const size_t at = array.bytes.size(), size = SizeOf(array.dtype);
  array.bytes.resize(at + size);
  std::memcpy(&array.bytes[at], wide ? static_cast<const void*>(&number) : &narrow, size);
}

}  // namespace

AffineQuantizer OwnedQuantizer::View() const {
  AffineQuantizer view = rest;
  view.scale = scale.view();
  if (!offset.empty()) view.offset = {DType::kS32, scale.shape, std::as_bytes(std::span(offset))};
  view.block_size = block_size;
  return view;
}

void QuantizerOptions::AddTo(CLI::App& command) {
  CLI::Option* given = command.add_option("--scale", scale, "FILE.npz[:key], as AIMET shapes it, or one per --axis");
  command.add_option("--offset", offset, "FILE.npz[:key], of the scale's shape: -zero point; default 0")->needs(given);
  calibration.AddTo(command)->excludes(given);
  command.add_option("--bitwidth", bitwidth, "Bits of the grid")->check(CLI::Range(2, 32));
  command.add_flag("--unsigned", is_unsigned,
                   "Grid from 0 on; with --from-data also asymmetric, as AIMET couples them");
  command.add_option("--qmin", qmin, "Lowest code, instead of the bitwidth's");
  command.add_option("--qmax", qmax, "Highest code, instead of the bitwidth's");
  CLI::Option* blocks =
      command.add_option("--block-size", block_size, "Block along each of the last dimensions: 1,64; -1: all of it")
          ->delimiter(',');
  command.add_option("--axis", axis, "One scale for each index of this dimension")->excludes(blocks);
  command.add_option("--profile", profile, "Rounding: aimet_div, aimet_fakequant, aimet_onnx or onnx");
  command.add_option("--zero-point-shift", zero_point_shift, "0 or 0.5");
}

Result<Shape> QuantizerOptions::ScaleShape(const Shape& tensor) const {
  const auto rank = static_cast<int>(tensor.rank());
  std::vector<int64_t> dims;
  if (axis.has_value()) {
    if (*axis < -rank || *axis >= rank) {
      return InvalidArgument(fmt::format("--axis {} does not exist in shape {}", *axis, tensor.ToString()));
    }
    dims.assign(tensor.rank(), 1);
    const auto at = static_cast<size_t>(*axis < 0 ? *axis + rank : *axis);
    dims[at] = tensor[at];
  }
  if (block_size.size() > tensor.rank()) {
    return InvalidArgument(
        fmt::format("--block-size: {} numbers for the {} dimensions of the data", block_size.size(), rank));
  }
  for (size_t i = 0; i < block_size.size(); ++i) {
    const int64_t dim = tensor[tensor.rank() - block_size.size() + i], block = block_size[i];
    if (block != -1 && (block < 1 || dim % block != 0)) {
      return InvalidArgument(
          fmt::format("--block-size: {} does not divide {} of shape {}", block, dim, tensor.ToString()));
    }
    dims.push_back(block == -1 ? 1 : dim / block);
  }
  return Shape(dims);
}

Status QuantizerOptions::ReadScales(const Shape& tensor, OwnedQuantizer& quantizer) const {
  LQ_ASSIGN_OR_RETURN(const NamedArray array, ReadArray(scale));
  quantizer.scale.shape = array.shape;
  if (axis.has_value()) {
    LQ_ASSIGN_OR_RETURN(const Shape shape, ScaleShape(tensor));
    if (array.shape.rank() != 1 || array.shape.NumElements() != shape.NumElements()) {
      return InvalidArgument(fmt::format("--scale {}: shape {}, but --axis {} needs ({})", scale,
                                         array.shape.ToString(), *axis, shape.NumElements()));
    }
    quantizer.scale.shape = shape;
  }
  for (size_t i = 0; i < static_cast<size_t>(array.shape.NumElements()); ++i) {
    Append(NumberAt(array, i), quantizer.scale);
  }
  if (offset.empty()) return OkStatus();
  LQ_ASSIGN_OR_RETURN(const NamedArray offsets, ReadArray(offset));
  if (!(offsets.shape == array.shape)) {
    return InvalidArgument(fmt::format("--offset {}: shape {}, but the scale has {}", offset, offsets.shape.ToString(),
                                       array.shape.ToString()));
  }
  LQ_ASSIGN_OR_RETURN(quantizer.offset, ToOffsets(offset, offsets));
  return OkStatus();
}

Status QuantizerOptions::ComputeScales(const NamedArray& tensor, const BulkOptions& bulk,
                                       OwnedQuantizer& quantizer) const {
  LQ_ASSIGN_OR_RETURN(AnalyzerOptions options, calibration.Make(!is_unsigned));
  LQ_ASSIGN_OR_RETURN(options.scale_shape, ScaleShape(tensor.shape));
  options.qmin = quantizer.rest.qmin, options.qmax = quantizer.rest.qmax;
  options.zero_point_shift = zero_point_shift;
  options.block_size = quantizer.block_size;
  LQ_ASSIGN_OR_RETURN(Analyzer analyzer, Analyzer::Create(options));
  LQ_RETURN_IF_ERROR(analyzer.Update(tensor.view(), bulk));
  LQ_ASSIGN_OR_RETURN(const Calibration found, analyzer.Compute(bulk));
  quantizer.scale.shape = found.shape;
  for (const double value : found.scale) Append(value, quantizer.scale);
  for (const double value : found.offset) quantizer.offset.push_back(static_cast<int32_t>(value));
  return OkStatus();
}

Result<OwnedQuantizer> QuantizerOptions::Make(const NamedArray& tensor, DType values, const BulkOptions& bulk) const {
  if (empty()) return InvalidArgument("one of --scale and --from-data is needed");
  OwnedQuantizer quantizer;
  if (values == DType::kF64) quantizer.scale.dtype = values;
  const int64_t codes = int64_t{1} << bitwidth;
  quantizer.rest.qmin = qmin.value_or(is_unsigned ? 0 : -codes / 2);
  quantizer.rest.qmax = qmax.value_or(is_unsigned ? codes - 1 : codes / 2 - 1);
  quantizer.rest.zero_point_shift = zero_point_shift;
  LQ_ASSIGN_OR_RETURN(quantizer.rest.profile, ParseProfile(profile));
  quantizer.block_size = block_size;
  if (scale.empty()) {
    LQ_RETURN_IF_ERROR(ComputeScales(tensor, bulk, quantizer));
  } else {
    LQ_RETURN_IF_ERROR(ReadScales(tensor.shape, quantizer));
  }
  return quantizer;
}

Result<OwnedQuantizer> QuantizerOptions::MakeScales(const Shape& tensor) const {
  OwnedQuantizer quantizer;
  quantizer.block_size = block_size;
  if (!scale.empty()) LQ_RETURN_IF_ERROR(ReadScales(tensor, quantizer));
  return quantizer;
}

}  // namespace lq::cli
