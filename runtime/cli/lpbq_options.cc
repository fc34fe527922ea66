#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstring>

#include "lanequant/lpbq.h"
#include "runtime/cli/arrays.h"
#include "runtime/cli/code_arrays.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/other_quantizers.h"
#include "runtime/io/array_element.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr const char* kGroup = "LPBQ (with --block-size, --bitwidth, --tool)";

template <class To, class From>
NamedArray Copied(const char* name, DType dtype, const Shape& shape, const std::vector<From>& values) {
  NamedArray array = MakeArray(name, dtype, shape);
  const std::vector<To> converted(values.begin(), values.end());
  if (!converted.empty()) std::memcpy(array.bytes.data(), converted.data(), array.bytes.size());
  return array;
}

Result<LpbqScales> ReadScales(const LpbqLayout& layout, const LpbqOptions& options) {
  LQ_ASSIGN_OR_RETURN(const NamedArray integers, ReadArray(options.int_scale));
  LQ_ASSIGN_OR_RETURN(const NamedArray channels, ReadArray(options.channel_scale));
  std::vector<uint32_t> int_scale(static_cast<size_t>(integers.shape.NumElements()));
  std::vector<double> channel_scale(static_cast<size_t>(channels.shape.NumElements()));
  for (size_t i = 0; i < int_scale.size(); ++i) {
    const double value = NumberAt(integers, i);
    if (!(value >= 0 && value <= 1 << 16) || value != static_cast<double>(static_cast<uint32_t>(value))) {
      return InvalidArgument(
          fmt::format("--int-scale {}: element {} is {}, no whole number of 0..65536", options.int_scale, i, value));
    }
    int_scale[i] = static_cast<uint32_t>(value);
  }
  for (size_t i = 0; i < channel_scale.size(); ++i) channel_scale[i] = NumberAt(channels, i);
  return MakeLpbqScales(layout, std::move(int_scale), std::move(channel_scale));
}

DType CodeType(int bitwidth) {
  return bitwidth <= 2 ? DType::kS2 : bitwidth <= 4 ? DType::kS4 : bitwidth <= 8 ? DType::kS8 : DType::kS16;
}

}  // namespace

void LpbqOptions::AddTo(CLI::App& command) {
  CLI::Option* lpbq = command.add_flag("--lpbq", chosen, "Integer scales of blocks, float scales of channels");
  lpbq->group(kGroup);
  command.add_option("--decompressed-bitwidth", decompressed_bitwidth, "Bits of code * integer scale")
      ->needs(lpbq)
      ->group(kGroup);
  command.add_option("--block-grouping", block_grouping, "Blocks that share a channel scale: 1,-1; -1: all")
      ->delimiter(',')
      ->needs(lpbq)
      ->group(kGroup);
  CLI::Option* integers = command.add_option("--int-scale", int_scale, "FILE.npz[:key]: those of an export");
  CLI::Option* channels = command.add_option("--channel-scale", channel_scale, "FILE.npz[:key]: those of an export");
  integers->needs(lpbq)->needs(channels)->group(kGroup);
  channels->needs(lpbq)->needs(integers)->group(kGroup);
}

Result<std::vector<NamedArray>> LpbqOptions::Apply(const QuantizeJob& job) const {
  if (job.operation == Operation::kBoth) return InvalidArgument("--lpbq takes --op quantize or dequantize, not qdq");
  if (job.operation == Operation::kDequantize && int_scale.empty()) {
    return InvalidArgument("--lpbq --op dequantize needs --int-scale and --channel-scale");
  }
  LpbqLayout layout;
  layout.bitwidth = job.affine.bitwidth;
  layout.decompressed_bitwidth = decompressed_bitwidth;
  layout.block_size = job.affine.block_size;
  layout.block_grouping = block_grouping;
  if (block_grouping.empty() && !layout.block_size.empty()) {  // of Linear and Conv weights: a row has one scale
    layout.block_grouping.assign(layout.block_size.size(), -1);
    layout.block_grouping[0] = 1;
  }
  LQ_ASSIGN_OR_RETURN(layout.scale_shape, job.affine.ScaleShape(job.in.shape));
  LQ_ASSIGN_OR_RETURN(const CalibrationTool tool, ParseTool(job.affine.calibration.tool));
  const bool onnx = tool == CalibrationTool::kAimetOnnx;
  LQ_ASSIGN_OR_RETURN(const LpbqScales scales, int_scale.empty()
                                                   ? DeriveLpbqOfWeight(job.in.view(), layout, tool, job.bulk)
                                                   : ReadScales(layout, *this));
  if (job.operation == Operation::kDequantize) {
    NamedArray out = MakeArray("values", job.dtype.value_or(DType::kF32), job.in.shape);
    LQ_RETURN_IF_ERROR(LpbqExpand(job.in.view(), scales, {out.dtype, out.shape, out.bytes}, job.bulk));
    return std::vector<NamedArray>{std::move(out)};
  }
  NamedArray out = MakeArray("codes", job.dtype.value_or(CodeType(layout.bitwidth)), job.in.shape);
  const RoundingProfile profile = onnx ? RoundingProfile::kAimetOnnx : RoundingProfile::kAimetDiv;
  LQ_RETURN_IF_ERROR(LpbqCompress(job.in.view(), scales, profile, {out.dtype, out.shape, out.bytes}, job.bulk));
  std::vector<NamedArray> arrays{std::move(out)};
  arrays.push_back(Copied<int32_t>("int_scale", DType::kS32, layout.scale_shape, scales.int_scale));
  arrays.push_back(onnx ? Copied<double>("channel_scale", DType::kF64, scales.group_shape, scales.channel_scale)
                        : Copied<float>("channel_scale", DType::kF32, scales.group_shape, scales.channel_scale));
  arrays.push_back(Copied<float>("scale", DType::kF32, layout.scale_shape, scales.scale));
  return arrays;
}

}  // namespace lq::cli
