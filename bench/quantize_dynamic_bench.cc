// float -> codes with scales from the data.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/bulk_case.h"

namespace {

using lq::kernels::CodeType;

void Register(const lq::kernels::Variant<lq::kernels::QuantizeDynamicFn>& variant, CodeType type, size_t block) {
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    static std::vector<float> scale;
    scale.resize(n / block);
    variant.run({static_cast<const float*>(in), n, block, type, scale.data(), out, stream});
  };
  const size_t bits = type == CodeType::kS4 ? 4 : 8;
  const std::string name =
      std::string("quantize_dynamic/") + variant.name + "/s" + std::to_string(bits) + "/block" + std::to_string(block);
  lq::bench::RegisterBulk({name, 32, bits, run});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::QuantizeDynamicVariants()) {
    for (const size_t block : {size_t{32}, size_t{64}}) {
      Register(variant, CodeType::kS8, block);
      Register(variant, CodeType::kS4, block);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
