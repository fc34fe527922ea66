// float -> points of a grid: layouts of scales, types and rounding profiles.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"

namespace {

using lq::RoundingProfile;
using lq::kernels::Arithmetic;
using lq::kernels::FloatType;

struct Case {
  const char* name;
  FloatType type;
  RoundingProfile profile;
  Arithmetic arithmetic;
  int64_t qmin, qmax;
};
constexpr Case kCases[] = {
    {"f32_s8", FloatType::kF32, RoundingProfile::kAimetDiv, Arithmetic::kF32, -128, 127},
    {"f32_s8_fakequant", FloatType::kF32, RoundingProfile::kAimetFakequant, Arithmetic::kF32, -128, 127},
    {"f32_s8_aimet_onnx", FloatType::kF32, RoundingProfile::kAimetOnnx, Arithmetic::kF32, -128, 127},
    {"f16_s4", FloatType::kF16, RoundingProfile::kAimetDiv, Arithmetic::kF32, -8, 7},
    {"f16_s8_in_f16", FloatType::kF16, RoundingProfile::kAimetDiv, Arithmetic::kF16, -128, 127},
    {"bf16_s4", FloatType::kBF16, RoundingProfile::kAimetDiv, Arithmetic::kF32, -8, 7},
    {"bf16_s4_in_bf16", FloatType::kBF16, RoundingProfile::kAimetDiv, Arithmetic::kBF16, -8, 7},
};

void Register(const lq::kernels::Variant<lq::kernels::QuantizeDequantizeAffineFn>& variant, const Case& c,
              const lq::bench::BulkScales& scales) {
  const size_t bits = c.type == FloatType::kF32 ? 32 : 16;
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    variant.run({.in = in,
                 .out = out,
                 .type = c.type,
                 .n = n,
                 .layout = lq::bench::BulkLayout(scales),
                 .qmin = c.qmin,
                 .qmax = c.qmax,
                 .profile = c.profile,
                 .arithmetic = c.arithmetic,
                 .stream = stream});
  };
  const std::string name = std::string("quantize_dequantize_affine/") + variant.name + "/" + c.name + "/" + scales.name;
  lq::bench::RegisterBulk(
      {name, bits, bits, run, &variant == &lq::kernels::QuantizeDequantizeAffineVariants().front(), c.type});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::QuantizeDequantizeAffineVariants()) {
    for (const auto& scales : lq::bench::kBulkScales) Register(variant, kCases[0], scales);
    for (size_t i = 1; i < std::size(kCases); ++i) Register(variant, kCases[i], lq::bench::kBulkScales[3]);
    for (size_t i = 3; i < std::size(kCases); ++i) Register(variant, kCases[i], lq::bench::kBulkScales[0]);
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
