// Packed 4-bit codes -> s8 for the usual blocks.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/bulk_case.h"

namespace {

void Register(const lq::kernels::Variant<lq::kernels::LpbqExpandFn>& variant, size_t block) {
  const auto run = [=](const void* in, void* out, size_t n, bool stream) {
    static std::vector<uint8_t> scale;
    scale.resize(n / block, 13);
    variant.run({static_cast<const uint8_t*>(in), scale.data(), n, block, static_cast<int8_t*>(out), stream});
  };
  lq::bench::RegisterBulk({std::string("lpbq_expand/") + variant.name + "/block" + std::to_string(block), 4, 8, run});
}

const bool kRegistered = [] {
  for (const auto& variant : lq::kernels::LpbqExpandVariants()) {
    for (const size_t block : {size_t{16}, size_t{32}, size_t{64}, size_t{128}}) Register(variant, block);
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
