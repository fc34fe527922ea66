// float -> codes: layouts of scales, types of floats and codes.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"

namespace {

using lq::kernels::CodeType;
using lq::kernels::FloatType;

struct Case {
  const char* name;
  FloatType in_type;
  CodeType type;
  size_t in_bits, bits;
};
constexpr Case kCases[] = {
    {"f32_s8", FloatType::kF32, CodeType::kS8, 32, 8},    {"f32_s4", FloatType::kF32, CodeType::kS4, 32, 4},
    {"f32_s16", FloatType::kF32, CodeType::kS16, 32, 16}, {"f16_s8", FloatType::kF16, CodeType::kS8, 16, 8},
    {"bf16_s8", FloatType::kBF16, CodeType::kS8, 16, 8},
};

void Register(const lq::kernels::Variant<lq::kernels::QuantizeAffineFn>& variant, const Case& c,
              const lq::bench::BulkScales& scales) {
  const int64_t half = int64_t{1} << (c.bits - 1);
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    variant.run({.in = in,
                 .in_type = c.in_type,
                 .n = n,
                 .layout = lq::bench::BulkLayout(scales),
                 .qmin = -half,
                 .qmax = half - 1,
                 .profile = lq::RoundingProfile::kAimetDiv,
                 .type = c.type,
                 .out = out,
                 .stream = stream});
  };
  const std::string name = std::string("quantize_affine/") + variant.name + "/" + c.name + "/" + scales.name;
  const bool is_best = &variant == &lq::kernels::QuantizeAffineVariants().front();
  lq::bench::RegisterBulk({name, c.in_bits, c.bits, run, is_best, c.in_type});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::QuantizeAffineVariants()) {
    for (const auto& scales : lq::bench::kBulkScales) {
      Register(variant, kCases[0], scales);
      Register(variant, kCases[1], scales);
    }
    for (size_t i = 2; i < std::size(kCases); ++i) Register(variant, kCases[i], lq::bench::kBulkScales[0]);
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
