#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "lanequant/block_quantize.h"
#include "runtime/axis.h"
#include "runtime/cli/arrays.h"
#include "runtime/cli/choose.h"
#include "runtime/cli/code_arrays.h"
#include "runtime/cli/other_quantizers.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

enum class Family { kOnnxMx, kTorchMx, kOnnxBfp, kOnnxCompilerBfp, kOnnxBfpPrime, kTorchBfp16, kTorchMxPairs };

constexpr Choice<Family> kFamilies[] = {{"onnx_mx", Family::kOnnxMx},
                                        {"torch_mx", Family::kTorchMx},
                                        {"onnx_bfp", Family::kOnnxBfp},
                                        {"onnx_compiler_bfp", Family::kOnnxCompilerBfp},
                                        {"onnx_bfp_prime", Family::kOnnxBfpPrime},
                                        {"torch_bfp16", Family::kTorchBfp16},
                                        {"torch_mx_pairs", Family::kTorchMxPairs}};
constexpr Choice<BlockElement> kElements[] = {{"e2m1", BlockElement::kE2M1}, {"e2m3", BlockElement::kE2M3},
                                              {"e3m2", BlockElement::kE3M2}, {"e4m3", BlockElement::kE4M3},
                                              {"e5m2", BlockElement::kE5M2}, {"integer", BlockElement::kInteger}};
constexpr Choice<BlockExponent> kExponents[] = {{"floor", BlockExponent::kFloor},
                                                {"floor_log2", BlockExponent::kFloorLog2},
                                                {"ceil_log2", BlockExponent::kCeilLog2},
                                                {"even", BlockExponent::kEven}};
constexpr Choice<TieRounding> kTies[] = {
    {"away", TieRounding::kAway}, {"up", TieRounding::kUp}, {"even", TieRounding::kEven}};
constexpr const char* kGroup =
    "Block formats (along --axis, default the last dimension; --scale: what --op quantize wrote)";

Result<BlockFormat> MakeFormat(const BlockOptions& options) {
  LQ_ASSIGN_OR_RETURN(const Family family, Choose("--blocks", options.format, kFamilies));
  LQ_ASSIGN_OR_RETURN(const BlockElement element, Choose("--element", options.element, kElements));
  LQ_ASSIGN_OR_RETURN(const BlockExponent exponent, Choose("--exponent", options.exponent, kExponents));
  LQ_ASSIGN_OR_RETURN(const TieRounding ties, Choose("--ties", options.ties, kTies));
  switch (family) {
    case Family::kOnnxMx:
      return OnnxMx(element, ties);
    case Family::kTorchMx:
      return TorchMx(element, exponent);
    case Family::kOnnxBfp:
      return OnnxBfp(options.bit_width, ties);
    case Family::kOnnxCompilerBfp:
      return OnnxCompilerBfp(ties);
    case Family::kOnnxBfpPrime:
      return OnnxBfpPrime(options.bit_width, ties);
    case Family::kTorchBfp16:
      return TorchBfp16();
    case Family::kTorchMxPairs:
      break;
  }
  return TorchMxPairs(options.bit_width, options.block_size);
}

DType CodeType(const BlockFormat& format) {
  if (format.element == BlockElement::kE2M1) return DType::kU4;
  if (format.element != BlockElement::kInteger) return DType::kU8;
  return format.integer_bits <= 7 ? DType::kS8 : DType::kS16;
}

// One for each block. What the axis and the block size must be, the library says.
Shape ScaleShape(const Shape& tensor, int64_t axis, int64_t block_size) {
  Shape shape = tensor;
  const std::optional<size_t> at = FindAxis(axis, tensor.rank());
  if (at && block_size > 0) shape[*at] /= block_size;
  return shape;
}

TensorView ViewOf(NamedArray& array) { return {array.dtype, array.shape, array.bytes}; }

}  // namespace

void BlockOptions::AddTo(CLI::App& command) {
  command.add_option("--blocks", format, "Blocks that share a power of two: " + NamesOf(kFamilies))->group(kGroup);
  command.add_option("--element", element, "Of MX: " + NamesOf(kElements))->group(kGroup);
  command.add_option("--exponent", exponent, "Of torch_mx: " + NamesOf(kExponents))->group(kGroup);
  command.add_option("--ties", ties, "Half units of integers: " + NamesOf(kTies))->group(kGroup);
  command.add_option("--bit-width", bit_width, "Of onnx_bfp, onnx_bfp_prime, torch_mx_pairs")->group(kGroup);
  command.add_option("--blocks-of", block_size, "Elements that share it; default: the format's own")->group(kGroup);
}

Result<std::vector<NamedArray>> BlockOptions::Apply(const QuantizeJob& job) const {
  LQ_ASSIGN_OR_RETURN(BlockFormat made, MakeFormat(*this));
  if (block_size != 0) made.block_size = block_size;
  const int64_t axis = job.affine.axis.value_or(-1);
  if (job.operation == Operation::kQuantize) {
    NamedArray codes = MakeArray("codes", job.dtype.value_or(CodeType(made)), job.in.shape);
    NamedArray scale = MakeArray("scale", DType::kU8, ScaleShape(job.in.shape, axis, made.block_size));
    LQ_RETURN_IF_ERROR(QuantizeBlocks(job.in.view(), made, axis, ViewOf(codes), ViewOf(scale), job.bulk));
    return std::vector<NamedArray>{std::move(codes), std::move(scale)};
  }
  const DType of_values = job.operation == Operation::kBoth ? job.in.dtype : DType::kF32;
  NamedArray out = MakeArray("values", job.dtype.value_or(of_values), job.in.shape);
  if (job.operation == Operation::kBoth) {
    LQ_RETURN_IF_ERROR(QuantizeDequantizeBlocks(job.in.view(), made, axis, ViewOf(out), job.bulk));
  } else {
    if (job.affine.scale.empty()) return InvalidArgument("--blocks --op dequantize needs --scale");
    LQ_ASSIGN_OR_RETURN(const NamedArray scale, ReadArray(job.affine.scale));
    LQ_RETURN_IF_ERROR(DequantizeBlocks(job.in.view(), scale.view(), made, axis, ViewOf(out), job.bulk));
  }
  return std::vector<NamedArray>{std::move(out)};
}

}  // namespace lq::cli
