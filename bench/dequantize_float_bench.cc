// Codes of small float formats -> float.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"
#include "kernels/contracts_float.h"
#include "runtime/quantize/float_format.h"

namespace {

void Register(const lq::kernels::Variant<lq::kernels::DequantizeFloatFn>& variant, const lq::FloatFormat& format,
              const lq::bench::BulkScales& scales) {
  const bool packed = format.bits() == 4;
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    lq::kernels::AffineLayout layout = lq::bench::BulkLayout(scales);
    layout.offset = nullptr;
    variant.run({static_cast<const uint8_t*>(in), packed, n, layout, format.mantissa_bits, format.unsigned_zero,
                 lq::CodeOf(format), out, lq::kernels::FloatType::kF32, stream});
  };
  lq::bench::RegisterBulk(
      {std::string("dequantize_float/") + variant.name + "/" + lq::NameOf(format) + "/" + scales.name,
       packed ? size_t{4} : 8, 32, run});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::DequantizeFloatVariants()) {
    for (const auto& format : {lq::kFloat8E4M3Fn, lq::kFloat8E5M2, lq::kFloat4E2M1Fn}) {
      for (const auto& scales : lq::bench::kBulkScales) Register(variant, format, scales);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
