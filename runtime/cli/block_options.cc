#include <CLI/CLI.hpp>

#include "lanequant/block_quantize.h"
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
constexpr const char* kGroup = "Block formats (with --op qdq; blocks along --axis, default the last dimension)";

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
  if (job.operation != Operation::kBoth) return InvalidArgument("--blocks has no codes; it needs --op qdq");
  LQ_ASSIGN_OR_RETURN(BlockFormat made, MakeFormat(*this));
  if (block_size != 0) made.block_size = block_size;
  NamedArray out = MakeArray("values", job.dtype.value_or(job.in.dtype), job.in.shape);
  LQ_RETURN_IF_ERROR(QuantizeDequantizeBlocks(job.in.view(), made, job.affine.axis.value_or(-1),
                                              {out.dtype, out.shape, out.bytes}, job.bulk));
  return std::vector<NamedArray>{std::move(out)};
}

}  // namespace lq::cli
