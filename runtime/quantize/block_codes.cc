// Block formats as codes and scales. Both ways are those of scaled codes with the blocks' powers of two as scales.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lanequant/block_quantize.h"
#include "lanequant/float_quantize.h"
#include "runtime/quantize/block_rule.h"
#include "runtime/quantize/bulk_checks.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/quantize/float_codes.h"
#include "runtime/quantize/float_format.h"
#include "runtime/quantize/min_max.h"
#include "runtime/quantize/scale_map.h"
#include "runtime/quantize/shared_exponent.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

bool IsInteger(const BlockFormat& format) { return format.element == BlockElement::kInteger; }

// What scaled codes need to know of the blocks.
struct Blocks {
  Shape scale_shape;
  std::array<int64_t, Shape::kMaxRank> block_size;
  ScaleMap map;

  std::span<const int64_t> sizes() const { return {block_size.data(), scale_shape.rank()}; }
};

Result<Blocks> MakeBlocks(const NamedView& tensor, const BlockFormat& format, int64_t axis) {
  const Shape& shape = tensor.view.shape;
  const int64_t size = format.block_size;
  LQ_ASSIGN_OR_RETURN(const size_t along, CheckAxis(axis, tensor));
  if (shape[along] % size != 0) {
    return InvalidArgument(
        fmt::format("format: block_size {} does not divide dimension {} of {}, shape {}, which is {}", size, along,
                    tensor.name, shape.ToString(), shape[along]));
  }
  Blocks blocks{shape, {}, {}};
  blocks.block_size.fill(1);
  blocks.block_size[along] = size;
  blocks.scale_shape[along] /= size;
  LQ_ASSIGN_OR_RETURN(blocks.map, ScaleMap::Make(tensor.name, shape, blocks.scale_shape, blocks.sizes()));
  return blocks;
}

Status CheckScales(const ConstTensorView& scales, const Shape& shape) {
  if (scales.dtype != DType::kU8) {
    return InvalidArgument(fmt::format("scales: type {}, but powers of two are u8", NameOf(scales.dtype)));
  }
  if (!(scales.shape == shape)) {
    return InvalidArgument(
        fmt::format("scales: shape {}, but there are blocks of shape {}", scales.shape.ToString(), shape.ToString()));
  }
  return CheckBytes("scales", scales);
}

Status CheckCodeType(const BlockFormat& format, DType dtype) {
  if (IsInteger(format)) {
    const bool small = format.integer_bits <= 7;
    if (dtype == DType::kS16 || (small && dtype == DType::kS8)) return OkStatus();
    return InvalidArgument(fmt::format("codes: type {}, but integers of {} bits take {}", NameOf(dtype),
                                       format.integer_bits + 1, small ? "s8 or s16" : "s16"));
  }
  const auto bits = static_cast<size_t>(FormatOf(format.element).bits());
  const bool packed = (dtype == DType::kU4 || dtype == DType::kU6) && bits == BitsOf(dtype);
  if (dtype == DType::kU8 || packed) return OkStatus();
  return InvalidArgument(fmt::format(
      "codes: type {}, but floats of {} bits take u8, those of 4 and 6 bits u4 and u6 too", NameOf(dtype), bits));
}

// Rules that codes and one power of two cannot express, or that no file has.
Status CheckHasCodes(const BlockFormat& f) {
  LQ_RETURN_IF_ERROR(CheckBlockFormat(f));
  const bool signs = f.negative_zero == NegativeZero::kAllNegative || f.negative_zero == NegativeZero::kNone;
  if (f.sub_block_size > 1) {
    return Unsupported(
        fmt::format("format: sub_block_size is {}; formats with sub-blocks (MX4, MX6, MX9) have no codes, as Quark "
                    "writes none to files",
                    f.sub_block_size));
  }
  if (f.zero_subnormals || f.rounds_to_bfloat16_first || (IsInteger(f) ? f.ties != TieRounding::kEven : !signs)) {
    return Unsupported(
        "format: codes go with ties to even, without zero_subnormals and rounds_to_bfloat16_first, and for floats with "
        "a negative_zero of kAllNegative or kNone only");
  }
  return OkStatus();
}

// Steps of the blocks for each power of two. NaN is left to the caller: scales of 1.
std::array<float, 256> Steps(const BlockFormat& format) {
  std::array<float, 256> steps;
  for (int i = 0; i < kNanScale; ++i) steps[static_cast<size_t>(i)] = std::ldexp(1.0f, i - 127 + UnitExponent(format));
  steps[kNanScale] = 1;
  return steps;
}

// The scales' bytes, and the steps that they stand for.
std::vector<float> FindScales(const ConstTensorView& in, const BlockFormat& format, const Blocks& blocks,
                              uint8_t* bytes, const BulkOptions& options) {
  constexpr size_t kGrain = 1 << 12;
  GroupRanges ranges = MinMaxOf(in, blocks.map, options);
  const kernels::BlockRule rule = BlockRuleOf(format);
  const std::array<float, 256> steps = Steps(format);
  const size_t count = blocks.map.scales();
  RunTasks(ExecutorOf(options), (count + kGrain - 1) / kGrain, [&](size_t task, size_t) {
    for (size_t i = task * kGrain; i < std::min(count, (task + 1) * kGrain); ++i) {
      bytes[i] = SharedExponent(ranges.min[i], ranges.max[i], format, rule);
      ranges.max[i] = steps[bytes[i]];
    }
  });
  return std::move(ranges.max);
}

ConstTensorView ViewOf(const std::vector<float>& steps, const Blocks& blocks) {
  return {DType::kF32, blocks.scale_shape, std::as_bytes(std::span(steps))};
}

// Division and rounding in f32, whatever the type of the tensor.
AffineQuantizer IntegerQuantizer(const std::vector<float>& steps, const BlockFormat& format, const Blocks& blocks) {
  AffineQuantizer quantizer;
  quantizer.scale = ViewOf(steps, blocks);
  quantizer.block_size = blocks.sizes();
  quantizer.qmax = (int64_t{1} << format.integer_bits) - 1;
  quantizer.qmin = -quantizer.qmax - (format.has_lowest ? 1 : 0);
  quantizer.profile = RoundingProfile::kOnnx;
  return quantizer;
}

kernels::QuantizeFloatArgs FloatRule(const BlockFormat& format) {
  const FloatFormat element = FormatOf(format.element);
  CarryTable not_needed;
  kernels::QuantizeFloatArgs rule{};
  rule.arithmetic = kernels::Arithmetic::kF32;
  rule.grid = GridOf(element, true, kernels::Arithmetic::kF32, not_needed);
  rule.grid.unsigned_zero = format.negative_zero == NegativeZero::kNone;
  rule.code = CodeOf(element);
  return rule;
}

void FillNan(const TensorView& out, size_t begin, size_t n) {
  if (out.dtype == DType::kF32) {
    std::fill_n(out.data<float>() + begin, n, std::numeric_limits<float>::quiet_NaN());
  } else {
    std::fill_n(out.data<uint16_t>() + begin, n, static_cast<uint16_t>(out.dtype == DType::kF16 ? 0x7E00 : 0x7FC0));
  }
}

}  // namespace

Status QuantizeBlocks(const ConstTensorView& in, const BlockFormat& format, int64_t axis, const TensorView& codes,
                      const TensorView& scales, const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckHasCodes(format));
  LQ_RETURN_IF_ERROR(CheckFloats("in", in.dtype));
  LQ_RETURN_IF_ERROR(CheckPair({"in", in}, {"codes", codes}, false));
  LQ_RETURN_IF_ERROR(CheckCodeType(format, codes.dtype));
  LQ_ASSIGN_OR_RETURN(const Blocks blocks, MakeBlocks({"in", in}, format, axis));
  LQ_RETURN_IF_ERROR(CheckScales(scales, blocks.scale_shape));
  LQ_RETURN_IF_ERROR(CheckApart({"in", in}, {"scales", scales}));
  LQ_RETURN_IF_ERROR(CheckApart({"codes", codes}, {"scales", scales}));
  if (blocks.map.elements() == 0) return OkStatus();
  const std::vector<float> steps = FindScales(in, format, blocks, scales.data<uint8_t>(), options);
  if (IsInteger(format)) return Quantize(in, IntegerQuantizer(steps, format, blocks), codes, options);
  WriteFloatCodes(in, FloatRule(format), {blocks.map, steps.data()}, codes, options);
  return OkStatus();
}

Status DequantizeBlocks(const ConstTensorView& codes, const ConstTensorView& scales, const BlockFormat& format,
                        int64_t axis, const TensorView& out, const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckBlockFormat(format));
  LQ_RETURN_IF_ERROR(CheckFloats("out", out.dtype));
  LQ_RETURN_IF_ERROR(CheckPair({"codes", codes}, {"out", out}, false));
  LQ_RETURN_IF_ERROR(CheckCodeType(format, codes.dtype));
  LQ_ASSIGN_OR_RETURN(const Blocks blocks, MakeBlocks({"codes", codes}, format, axis));
  LQ_RETURN_IF_ERROR(CheckScales(scales, blocks.scale_shape));
  LQ_RETURN_IF_ERROR(CheckApart({"scales", scales}, {"out", out}));
  if (blocks.map.elements() == 0) return OkStatus();
  const size_t count = blocks.map.scales();
  const uint8_t* bytes = scales.data<uint8_t>();
  const std::array<float, 256> by_byte = Steps(format);
  std::vector<float> steps(count);
  std::transform(bytes, bytes + count, steps.begin(), [&](uint8_t byte) { return by_byte[byte]; });
  if (IsInteger(format)) {
    LQ_RETURN_IF_ERROR(Dequantize(codes, IntegerQuantizer(steps, format, blocks), out, options));
  } else {
    const FloatQuantizer quantizer{FormatOf(format.element), ViewOf(steps, blocks), blocks.sizes()};
    LQ_RETURN_IF_ERROR(DequantizeFloat(codes, quantizer, out, options));
  }
  for (size_t i = 0; i < count; ++i) {
    if (bytes[i] == kNanScale) {
      blocks.map.ForEachRunOf(i, [&](size_t begin, size_t n) { FillNan(out, begin, n); });
    }
  }
  return OkStatus();
}

}  // namespace lq
