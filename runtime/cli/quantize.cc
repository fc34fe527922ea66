// lanequant quantize: an array through an affine quantizer of AIMET or ONNX.
#include "lanequant/quantize.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/cli/arrays.h"
#include "runtime/cli/command.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/output_files.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/quantizer_options.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

struct Options {
  std::string input, output, op = "quantize", dtype, target;
  size_t threads = 0;
  QuantizerOptions quantizer;
};

// Code types that NumPy has.
constexpr DType kCodeTypes[] = {DType::kU8, DType::kS8, DType::kU16, DType::kS16, DType::kS32};

// The type that --dtype names, else the smallest one that holds the grid.
Result<DType> CodeTypeFor(const std::string& name, const AffineQuantizer& quantizer) {
  for (const DType dtype : kCodeTypes) {
    const bool is_signed = dtype != DType::kU8 && dtype != DType::kU16;
    const int64_t codes = int64_t{1} << BitsOf(dtype), lowest = is_signed ? -codes / 2 : 0;
    const bool holds = lowest <= quantizer.qmin && quantizer.qmax < lowest + codes;
    if (name.empty() ? holds : name == NameOf(dtype)) return dtype;
  }
  if (!name.empty()) return InvalidArgument(fmt::format("--dtype '{}' is none of u8, s8, u16, s16, s32", name));
  return InvalidArgument(fmt::format("no type holds codes of --qmin {} to --qmax {}", quantizer.qmin, quantizer.qmax));
}

NamedArray MakeArray(const char* name, DType dtype, const Shape& shape) {
  return {name, dtype, shape, std::vector<std::byte>(BytesOf(dtype, shape.NumElements()))};
}

Result<NamedArray> Apply(const Options& options, const NamedArray& in, const AffineQuantizer& quantizer,
                         const BulkOptions& bulk) {
  const bool to_codes = options.op == "quantize";
  DType dtype = DType::kF32;
  if (to_codes) {
    LQ_ASSIGN_OR_RETURN(dtype, CodeTypeFor(options.dtype, quantizer));
  } else if (!options.dtype.empty()) {
    return InvalidArgument("--dtype is the type of codes, for --op quantize only");
  }
  NamedArray out = MakeArray(to_codes ? "codes" : "values", dtype, in.shape);
  const TensorView view = {dtype, out.shape, out.bytes};
  Status status;
  if (to_codes) {
    status = Quantize(in.view(), quantizer, view, bulk);
  } else if (options.op == "dequantize") {
    status = Dequantize(in.view(), quantizer, view, bulk);
  } else {
    status = QuantizeDequantize(in.view(), quantizer, view, bulk);
  }
  if (!status.ok()) return status;
  return out;
}

// The result, with its scales and offsets: what a later call with --scale and --offset needs.
std::vector<NamedArray> Arrays(NamedArray out, const OwnedQuantizer& quantizer) {
  const auto array = [&](const char* name, DType dtype, std::span<const std::byte> bytes) {
    return NamedArray{name, dtype, quantizer.scale_shape, {bytes.begin(), bytes.end()}};
  };
  const std::vector<int32_t> zeros(quantizer.scale.size());
  const std::vector<int32_t>& offset = quantizer.offset.empty() ? zeros : quantizer.offset;
  return {std::move(out), array("scale", DType::kF32, std::as_bytes(std::span(quantizer.scale))),
          array("offset", DType::kS32, std::as_bytes(std::span(offset)))};
}

Result<int> Run(const Options& options) {
  if (options.op != "quantize" && options.op != "dequantize" && options.op != "qdq") {
    return InvalidArgument(fmt::format("--op '{}' does not exist; there are quantize, dequantize, qdq", options.op));
  }
  std::optional<Progress> progress("quantize");
  const std::unique_ptr<Executor> executor = MakeExecutor(options.threads);
  BulkOptions bulk{executor.get()};
  if (!options.target.empty()) bulk.max_isa = options.target;
  LQ_ASSIGN_OR_RETURN(const NamedArray in, ReadArray(options.input));
  progress->Update(0.4);  // files take longer than quantizing
  LQ_ASSIGN_OR_RETURN(const OwnedQuantizer quantizer, options.quantizer.Make(in, bulk));
  const auto start = std::chrono::steady_clock::now();
  LQ_ASSIGN_OR_RETURN(NamedArray out, Apply(options, in, quantizer.View(), bulk));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  progress->Update(0.5);
  const std::string result =
      fmt::format("{} {} -> {} {}, {} scale{}, {:.3f} ms\n", NameOf(in.dtype), in.shape.ToString(), NameOf(out.dtype),
                  out.name, quantizer.scale.size(), quantizer.scale.size() == 1 ? "" : "s", took.count());
  OutputFiles files;
  LQ_RETURN_IF_ERROR(files.AddNpz(options.output, Arrays(std::move(out), quantizer)));
  LQ_RETURN_IF_ERROR(files.Commit());
  progress.reset();
  fmt::print("{}", result);
  return kSuccess;
}

}  // namespace

void AddQuantize(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("quantize", "Quantizes or dequantizes an array");
  command.add_option("input", options->input, "FILE.npz[:key]: float32, or codes")->required();
  command.add_option("output", options->output, "Where to write codes or values, scale and offset (.npz)")->required();
  command.add_option("--op", options->op, "quantize, dequantize or qdq (there and back)");
  command.add_option("--dtype", options->dtype, "Type of codes: u8, s8, u16, s16, s32; default: the smallest");
  options->quantizer.AddTo(command);
  AddTarget(command, options->target);
  AddThreads(command, options->threads);
  command.callback([options, &chosen] { chosen = [options] { return Run(*options); }; });
}

}  // namespace lq::cli
