#include <CLI/CLI.hpp>
#include <cstdio>

#include "lanequant/float_quantize.h"
#include "runtime/cli/choose.h"
#include "runtime/cli/code_arrays.h"
#include "runtime/cli/other_quantizers.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr Choice<FloatFormat> kFormats[] = {{"float16", kFloat16},
                                            {"bfloat16", kBFloat16},
                                            {"float8_e4m3fn", kFloat8E4M3Fn},
                                            {"float8_e4m3fnuz", kFloat8E4M3FnUz},
                                            {"float8_e5m2", kFloat8E5M2},
                                            {"float8_e5m2fnuz", kFloat8E5M2FnUz},
                                            {"float6_e2m3fn", kFloat6E2M3Fn},
                                            {"float6_e3m2fn", kFloat6E3M2Fn},
                                            {"float4_e2m1fn", kFloat4E2M1Fn}};

// A name, or "E,M": any other format of AIMET's.
Result<FloatFormat> ParseFormat(const std::string& name) {
  FloatFormat format;
  char rest = 0;
  if (std::sscanf(name.c_str(), "%d,%d%c", &format.exponent_bits, &format.mantissa_bits, &rest) == 2) return format;
  return Choose("--float", name, kFormats);
}

}  // namespace

void FloatOptions::AddTo(CLI::App& command) {
  command.add_option("--float", format, "A float format instead of a grid: " + NamesOf(kFormats) + ", or E,M bits")
      ->group("Float formats (with --scale or without)");
  command.add_flag("--overflows", overflows, "What is too large becomes infinite or NaN, not the largest value")
      ->group("Float formats (with --scale or without)");
}

Result<std::vector<NamedArray>> FloatOptions::Apply(const QuantizeJob& job) const {
  LQ_ASSIGN_OR_RETURN(const FloatFormat parsed, ParseFormat(format));
  LQ_ASSIGN_OR_RETURN(const OwnedQuantizer scales, job.affine.MakeScales(job.in.shape));
  FloatQuantizer quantizer{parsed, {}, scales.block_size, !overflows};
  if (!scales.scale.bytes.empty()) quantizer.scale = scales.scale.view();
  const bool to_codes = job.operation == Operation::kQuantize;
  const DType of_values = job.operation == Operation::kBoth ? job.in.dtype : DType::kF32;
  const DType of_codes = parsed.bits() == 4 ? DType::kU4 : DType::kU8;
  NamedArray out =
      MakeArray(to_codes ? "codes" : "values", job.dtype.value_or(to_codes ? of_codes : of_values), job.in.shape);
  const TensorView view{out.dtype, out.shape, out.bytes};
  Status status;
  if (to_codes) {
    status = QuantizeFloat(job.in.view(), quantizer, view, job.bulk);
  } else if (job.operation == Operation::kDequantize) {
    status = DequantizeFloat(job.in.view(), quantizer, view, job.bulk);
  } else {
    status = QuantizeDequantizeFloat(job.in.view(), quantizer, view, job.bulk);
  }
  if (!status.ok()) return status;
  return std::vector<NamedArray>{std::move(out)};
}

}  // namespace lq::cli
