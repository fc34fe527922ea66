// lanequant quantize: an array through a quantizer of AIMET, ONNX or Quark.
#include "lanequant/quantize.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/cli/arrays.h"
#include "runtime/cli/choose.h"
#include "runtime/cli/code_arrays.h"
#include "runtime/cli/command.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/other_quantizers.h"
#include "runtime/cli/output_files.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/quantizer_options.h"
#include "runtime/measure/clock.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr Choice<Operation> kOperations[] = {
    {"quantize", Operation::kQuantize}, {"dequantize", Operation::kDequantize}, {"qdq", Operation::kBoth}};

struct QuantizeOptions {
  std::string input, output, op = "quantize", dtype, codes, target;
  std::vector<int64_t> shape;
  size_t threads = 0;
  QuantizerOptions affine;
  FloatOptions floats;
  BlockOptions blocks;
  LpbqOptions lpbq;
};

// The smallest type of whole bytes that holds the grid.
Result<DType> CodeTypeFor(const AffineQuantizer& quantizer) {
  for (const DType dtype : {DType::kU8, DType::kS8, DType::kU16, DType::kS16, DType::kS32}) {
    const bool is_signed = dtype != DType::kU8 && dtype != DType::kU16;
    const int64_t codes = int64_t{1} << BitsOf(dtype), lowest = is_signed ? -codes / 2 : 0;
    if (lowest <= quantizer.qmin && quantizer.qmax < lowest + codes) return dtype;
  }
  return InvalidArgument(fmt::format("no type holds codes of --qmin {} to --qmax {}", quantizer.qmin, quantizer.qmax));
}

Result<NamedArray> ApplyAffine(const QuantizeJob& job, const AffineQuantizer& quantizer) {
  const bool to_codes = job.operation == Operation::kQuantize;
  DType dtype = job.operation == Operation::kBoth ? job.in.dtype : DType::kF32;
  if (to_codes && !job.dtype) {
    LQ_ASSIGN_OR_RETURN(dtype, CodeTypeFor(quantizer));
  }
  NamedArray out = MakeArray(to_codes ? "codes" : "values", job.dtype.value_or(dtype), job.in.shape);
  const TensorView view = {out.dtype, out.shape, out.bytes};
  Status status;
  if (to_codes) {
    status = Quantize(job.in.view(), quantizer, view, job.bulk);
  } else if (job.operation == Operation::kDequantize) {
    status = Dequantize(job.in.view(), quantizer, view, job.bulk);
  } else {
    status = QuantizeDequantize(job.in.view(), quantizer, view, job.bulk);
  }
  if (!status.ok()) return status;
  return out;
}

// The result, with its scales and offsets: what a later call with --scale and --offset needs.
Result<std::vector<NamedArray>> Affine(const QuantizeJob& job) {
  const bool back = job.operation == Operation::kDequantize;
  const DType values = back ? job.dtype.value_or(DType::kF32) : job.in.dtype;
  LQ_ASSIGN_OR_RETURN(const OwnedQuantizer quantizer, job.affine.Make(job.in, values, job.bulk));
  LQ_ASSIGN_OR_RETURN(NamedArray out, ApplyAffine(job, quantizer.View()));
  NamedArray offset = MakeArray("offset", DType::kS32, quantizer.scale.shape);
  if (!quantizer.offset.empty()) std::memcpy(offset.bytes.data(), quantizer.offset.data(), offset.bytes.size());
  return std::vector<NamedArray>{std::move(out), quantizer.scale, std::move(offset)};
}

Result<std::vector<NamedArray>> Apply(const QuantizeOptions& options, const QuantizeJob& job) {
  const int kinds = !options.floats.format.empty() + !options.blocks.format.empty() + options.lpbq.chosen;
  if (kinds > 1) return InvalidArgument("--float, --blocks and --lpbq exclude each other");
  if (kinds == 1 && !options.affine.calibration.scheme.empty()) {
    return InvalidArgument(fmt::format(
        "--from-data {} is for integer grids: --float takes --scale, --blocks and --lpbq find scales of their own",
        options.affine.calibration.scheme));
  }
  if (!options.floats.format.empty()) return options.floats.Apply(job);
  if (!options.blocks.format.empty()) return options.blocks.Apply(job);
  return options.lpbq.chosen ? options.lpbq.Apply(job) : Affine(job);
}

Result<std::optional<DType>> ParseOptional(const char* option, const std::string& name) {
  if (name.empty()) return std::optional<DType>();
  LQ_ASSIGN_OR_RETURN(const DType dtype, ParseType(option, name));
  return std::optional<DType>(dtype);
}

std::string Summary(const NamedArray& in, const std::vector<NamedArray>& arrays, double milliseconds) {
  std::string scales;
  for (const NamedArray& array : arrays) {
    if (array.name != "scale") continue;
    const int64_t count = array.shape.NumElements();
    scales = fmt::format(" {} scale{},", count, count == 1 ? "" : "s");
  }
  return fmt::format("{} {} -> {} {},{} {:.3f} ms\n", NameOf(in.dtype), in.shape.ToString(), NameOf(arrays[0].dtype),
                     arrays[0].name, scales, milliseconds);
}

Result<int> RunQuantize(const QuantizeOptions& options) {
  LQ_ASSIGN_OR_RETURN(const Operation operation, Choose("--op", options.op, kOperations));
  LQ_ASSIGN_OR_RETURN(const std::optional<DType> dtype, ParseOptional("--dtype", options.dtype));
  LQ_ASSIGN_OR_RETURN(const std::optional<DType> codes, ParseOptional("--codes", options.codes));
  std::optional<Progress> progress("quantize");
  const std::unique_ptr<Executor> executor = MakeExecutor(options.threads);
  const BulkOptions bulk{executor.get(), MaxIsa(options.target)};
  LQ_ASSIGN_OR_RETURN(NamedArray read, ReadArray(options.input));
  LQ_ASSIGN_OR_RETURN(const NamedArray in, FromFile(std::move(read), codes, options.shape));
  progress->Update(0.4);  // files take longer than quantizing
  const double start = measure::Now();
  LQ_ASSIGN_OR_RETURN(std::vector<NamedArray> arrays, Apply(options, {operation, in, dtype, options.affine, bulk}));
  const double seconds = measure::Now() - start;
  progress->Update(0.5);
  const std::string result = Summary(in, arrays, 1e3 * seconds);
  std::vector<NamedArray> to_file = ForFile(std::move(arrays[0]));
  for (size_t i = 1; i < arrays.size(); ++i) to_file.push_back(std::move(arrays[i]));
  OutputFiles files;
  LQ_RETURN_IF_ERROR(files.AddNpz(options.output, to_file));
  LQ_RETURN_IF_ERROR(files.Commit());
  progress.reset();
  fmt::print("{}", result);
  return kSuccess;
}

}  // namespace

void AddQuantize(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App& command = *app.add_subcommand("quantize", "Quantizes or dequantizes an array");
  command.add_option("input", options->input, "FILE.npz[:key]: float32, float64, float16, or codes")->required();
  command.add_option("output", options->output, "Where to write codes or values, scale and offset (.npz)")->required();
  command.add_option("--op", options->op, "quantize, dequantize or qdq (there and back)");
  command.add_option("--dtype", options->dtype,
                     "Type of the result. Codes: u8, s8, u16, s16, s32 (default: the smallest), or packed u4, s4, u2, "
                     "s2, of 6-bit floats u6; values: f32 (default), f64, f16");
  command.add_option("--codes", options->codes,
                     "Type of packed codes to dequantize: u4, s4, u2, s2, u6; needs --shape");
  command.add_option("--shape", options->shape, "Of packed codes: 64,256")->delimiter(',');
  options->affine.AddTo(command);
  options->floats.AddTo(command);
  options->blocks.AddTo(command);
  options->lpbq.AddTo(command);
  AddTarget(command, options->target);
  AddThreads(command, options->threads);
  command.callback([options, &chosen] { chosen = [options] { return RunQuantize(*options); }; });
}

}  // namespace lq::cli
