// Floats x blocks of codes, timed beside the machine's limits.
#ifndef LANEQUANT_BENCH_MATMUL_FLOAT_LAYER_H_
#define LANEQUANT_BENCH_MATMUL_FLOAT_LAYER_H_

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

#include "kernels/contracts_matmul_float.h"

namespace lq::bench {

struct MatmulFloatBench {
  std::string kernel;  // "matmul_f32s4"
  std::span<const kernels::Variant<kernels::MatmulFloatFn>> variants;
  size_t n, k, block;
  int bits;
};

// kernel/TARGET/m=M/NxK/block=B for each variant and M. Counters: flops per second, and the shares of the probed
// multiply-add and read limits, each the best seen before and after, and of the kernel's own speed with weights in L1,
// which for few rows is what unpacking them allows.
void RegisterMatmulFloat(const MatmulFloatBench& bench, std::initializer_list<size_t> rows);

}  // namespace lq::bench

#endif  // LANEQUANT_BENCH_MATMUL_FLOAT_LAYER_H_
