// Benchmarks of the bulk quantizers, each beside what the machine can do, measured in turns with it: a stream of the
// same traffic, and libc's memcpy of as many floats.
#ifndef LANEQUANT_BENCH_BULK_CASE_H_
#define LANEQUANT_BENCH_BULK_CASE_H_

#include <cstddef>
#include <functional>
#include <string>

#include "kernels/contracts_quantize.h"

namespace lq::bench {

// One benchmark: in and out are buffers of in_bits and out_bits per element, 64-byte aligned. Registers it for 64 Ki
// elements (256 KiB of floats: in and out fit the L2 cache of a core) and for 64 Mi (no cache holds them; stream set).
// Counters: Gelem/s and GB/s of the best pass, share_stream and share_memcpy of the best passes of those.
struct BulkCase {
  std::string name;  // "quantize_affine/AVX3_DL/s8/tensor"
  size_t in_bits, out_bits;
  std::function<void(const void* in, void* out, size_t n, bool stream)> run;
  bool in_memory = true;  // false: the small size only, as for all variants but the best
  // Of floats in the input.
  kernels::FloatType in_type = kernels::FloatType::kF32;
};
void RegisterBulk(const BulkCase& bulk);

// 256 MiB each: floats of -1..1, in huge pages, written once, so that no pass pays for either.
std::byte* BulkInput();
// The same numbers as float16 or bfloat16, half as long.
std::byte* BulkHalves(kernels::FloatType type);
std::byte* BulkOutput();

// How scales lie: one for all, one for each row, block, or element of a row.
struct BulkScales {
  const char* name;
  size_t count, run;
};
constexpr BulkScales kBulkScales[] = {
    {"tensor", 1, 1},      {"channel", 64, 1024},  {"block32", 2048, 32},
    {"block64", 1024, 64}, {"block128", 512, 128}, {"last_axis", 1024, 1},
};

// Scales near 0.0078 for `scales`, offsets 0. Lives as long as the program.
kernels::AffineLayout BulkLayout(const BulkScales& scales);

}  // namespace lq::bench

#endif  // LANEQUANT_BENCH_BULK_CASE_H_
