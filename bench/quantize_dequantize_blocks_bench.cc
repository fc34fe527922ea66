// Block formats: the tools' kinds along the last axis, and MXFP4 along another one.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"
#include "kernels/contracts_float.h"
#include "runtime/quantize/block_rule.h"

namespace {

using lq::BlockElement;
using lq::kernels::FloatType;

struct Case {
  const char* name;
  lq::BlockFormat format;
  FloatType type = FloatType::kF32;
  size_t stride = 1;  // 1: the last axis
};

void Register(const lq::kernels::Variant<lq::kernels::QuantizeDequantizeBlocksFn>& variant, const Case& c) {
  const lq::kernels::BlockRule rule = lq::BlockRuleOf(c.format);
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    variant.run({in, out, c.type, 1, n, n / c.stride, c.stride, c.stride, static_cast<size_t>(c.format.block_size),
                 rule, stream});
  };
  const size_t bits = c.type == FloatType::kF32 ? 32 : 16;
  lq::bench::RegisterBulk({std::string("quantize_dequantize_blocks/") + variant.name + "/" + c.name, bits, bits, run});
}

const bool kRegistered = [] {
  using enum lq::BlockExponent;
  const auto even = lq::TieRounding::kEven;
  const Case cases[] = {{"mxfp4_even", lq::TorchMx(BlockElement::kE2M1, kEven)},
                        {"mxfp4_floor_log2", lq::TorchMx(BlockElement::kE2M1, kFloorLog2)},
                        {"mxfp8_onnx", lq::OnnxMx(BlockElement::kE4M3, even)},
                        {"mxint8_even", lq::TorchMx(BlockElement::kInteger, kEven)},
                        {"mxint8_onnx", lq::OnnxMx(BlockElement::kInteger, even)},
                        {"mxint8_onnx_away", lq::OnnxMx(BlockElement::kInteger, lq::TieRounding::kAway)},
                        {"bfp16_onnx", lq::OnnxBfp(16, even)},
                        {"bfp16_torch", lq::TorchBfp16()},
                        {"mx9_onnx", lq::OnnxBfpPrime(16, even)},
                        {"mxfp4_even_columns", lq::TorchMx(BlockElement::kE2M1, kEven), FloatType::kF32, 1024}};
  for (const auto& variant : lq::kernels::QuantizeDequantizeBlocksVariants()) {
    for (const Case& c : cases) Register(variant, c);
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
