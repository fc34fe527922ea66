// Codes -> float: layouts of scales, types of codes and floats.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"

namespace {

using lq::kernels::CodeType;
using lq::kernels::FloatType;

struct Case {
  const char* name;
  CodeType type;
  FloatType out_type;
  size_t bits, out_bits;
};
constexpr Case kCases[] = {
    {"s8_f32", CodeType::kS8, FloatType::kF32, 8, 32},    {"s4_f32", CodeType::kS4, FloatType::kF32, 4, 32},
    {"s16_f32", CodeType::kS16, FloatType::kF32, 16, 32}, {"s8_f16", CodeType::kS8, FloatType::kF16, 8, 16},
    {"s8_bf16", CodeType::kS8, FloatType::kBF16, 8, 16},
};

void Register(const lq::kernels::Variant<lq::kernels::DequantizeAffineFn>& variant, const Case& c,
              const lq::bench::BulkScales& scales) {
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    variant.run({.in = in,
                 .type = c.type,
                 .n = n,
                 .layout = lq::bench::BulkLayout(scales),
                 .out = out,
                 .out_type = c.out_type,
                 .stream = stream});
  };
  const std::string name = std::string("dequantize_affine/") + variant.name + "/" + c.name + "/" + scales.name;
  lq::bench::RegisterBulk(
      {name, c.bits, c.out_bits, run, &variant == &lq::kernels::DequantizeAffineVariants().front()});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::DequantizeAffineVariants()) {
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
