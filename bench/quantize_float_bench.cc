// float -> codes of small float formats.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bulk_case.h"
#include "kernels/contracts_float.h"
#include "runtime/quantize/float_format.h"

namespace {

void Register(const lq::kernels::Variant<lq::kernels::QuantizeFloatFn>& variant, const lq::FloatFormat& format,
              const lq::bench::BulkScales& scales) {
  const bool packed = format.bits() == 4;
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    lq::CarryTable carry;
    lq::kernels::AffineLayout layout = lq::bench::BulkLayout(scales);
    layout.offset = nullptr;
    variant.run({in, lq::kernels::FloatType::kF32, n, layout,
                 lq::GridOf(format, true, lq::kernels::Arithmetic::kF32, carry), lq::CodeOf(format),
                 lq::kernels::Arithmetic::kF32, false, packed, static_cast<uint8_t*>(out), stream});
  };
  lq::bench::RegisterBulk({std::string("quantize_float/") + variant.name + "/" + lq::NameOf(format) + "/" + scales.name,
                           32, packed ? size_t{4} : 8, run});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::QuantizeFloatVariants()) {
    for (const auto& format : {lq::kFloat8E4M3Fn, lq::kFloat8E5M2, lq::kFloat4E2M1Fn}) {
      for (const auto& scales : lq::bench::kBulkScales) Register(variant, format, scales);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
