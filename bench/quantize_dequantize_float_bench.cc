// float -> float on the grid of a small format: formats, types, layouts of scales.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"
#include "kernels/contracts_float.h"
#include "runtime/quantize/float_format.h"

namespace {

using lq::kernels::FloatType;

struct Case {
  const char* name;
  lq::FloatFormat format;
  FloatType type;
  size_t bits;
};
constexpr Case kCases[] = {
    {"float16", lq::kFloat16, FloatType::kF32, 32},           {"bfloat16", lq::kBFloat16, FloatType::kF32, 32},
    {"e4m3fn", lq::kFloat8E4M3Fn, FloatType::kF32, 32},       {"e5m2", lq::kFloat8E5M2, FloatType::kF32, 32},
    {"e2m1fn", lq::kFloat4E2M1Fn, FloatType::kF32, 32},       {"e4m3fn_f16", lq::kFloat8E4M3Fn, FloatType::kF16, 16},
    {"e4m3fn_bf16", lq::kFloat8E4M3Fn, FloatType::kBF16, 16}, {"e6m1", lq::FloatFormat{6, 1}, FloatType::kF32, 32},
};

void Register(const lq::kernels::Variant<lq::kernels::QuantizeDequantizeFloatFn>& variant, const Case& c,
              const lq::bench::BulkScales& scales) {
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    lq::CarryTable carry;
    lq::kernels::AffineLayout layout = lq::bench::BulkLayout(scales);
    layout.offset = nullptr;
    variant.run({in, c.type, n, layout, lq::GridOf(c.format, true, lq::kernels::Arithmetic::kF32, carry),
                 lq::kernels::Arithmetic::kF32, out, c.type, stream});
  };
  const std::string name = std::string("quantize_dequantize_float/") + variant.name + "/" + c.name + "/" + scales.name;
  lq::bench::RegisterBulk({name, c.bits, c.bits, run, true, c.type});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::QuantizeDequantizeFloatVariants()) {
    for (const Case& c : kCases) Register(variant, c, lq::bench::kBulkScales[0]);
    for (size_t i = 1; i < std::size(lq::bench::kBulkScales); ++i) {
      for (const Case& c : {kCases[2], kCases[3], kCases[5], kCases[7]})
        Register(variant, c, lq::bench::kBulkScales[i]);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
