#include "bench/bulk_case.h"

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/small_floats.h"
#include "runtime/measure/clock.h"
#include "runtime/measure/probe.h"

namespace lq::bench {
namespace {

constexpr size_t kInCache = 1 << 16, kInMemory = 1 << 26;

void* Pages(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(p, bytes, MADV_HUGEPAGE);
  return p;
}

std::byte* Buffer(uint32_t seed) {
  void* p = Pages(kInMemory * sizeof(float));
  // Floats of -1..1, which are also codes of all kinds.
  auto* floats = static_cast<float*>(p);
  for (size_t i = 0; i < kInMemory; ++i) {
    seed = seed * 1664525 + 1013904223;
    floats[i] = static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-31f;
  }
  return static_cast<std::byte*>(p);
}

std::byte* Halves(uint16_t (*of)(float)) {
  const auto* floats = reinterpret_cast<const float*>(BulkInput());
  auto* halves = static_cast<uint16_t*>(Pages(kInMemory * sizeof(uint16_t)));
  std::transform(floats, floats + kInMemory, halves, of);
  return reinterpret_cast<std::byte*>(halves);
}

void Run(benchmark::State& state, const BulkCase& bulk, size_t n) {
  const std::byte* in = bulk.in_type == kernels::FloatType::kF32 ? BulkInput() : BulkHalves(bulk.in_type);
  std::byte* out = BulkOutput();
  const bool far = n == kInMemory;
  const size_t in_bytes = n * bulk.in_bits / 8, out_bytes = n * bulk.out_bits / 8, passes = far ? 1 : 64;
  double best = 1e9, stream = 1e9, memcpy = 1e9;
  for (auto _ : state) {
    const double seconds = measure::Average(passes, [&] { bulk.run(in, out, n, far); });
    best = std::min(best, seconds);
    stream = std::min(stream, measure::Average(passes, [&] { Stream(in, in_bytes, out, out_bytes, far); }));
    memcpy = std::min(memcpy, measure::Average(passes, [&] { std::memcpy(out, in, n * sizeof(float)); }));
    state.SetIterationTime(seconds);
  }
  state.counters["Gelem/s"] = static_cast<double>(n) / best * 1e-9;
  state.counters["GB/s"] = static_cast<double>(in_bytes + out_bytes) / best * 1e-9;
  state.counters["share_stream"] = stream / best;
  state.counters["share_memcpy"] = memcpy / best;
}

}  // namespace

std::byte* BulkInput() {
  static std::byte* const buffer = Buffer(1);
  return buffer;
}

std::byte* BulkOutput() {
  static std::byte* const buffer = Buffer(2);
  return buffer;
}

std::byte* BulkHalves(kernels::FloatType type) {
  if (type == kernels::FloatType::kF16) {
    static std::byte* const f16 = Halves(kernels::F16FromFloat);
    return f16;
  }
  static std::byte* const bf16 = Halves(kernels::BF16FromFloat);
  return bf16;
}

void RegisterBulk(const BulkCase& bulk) {
  for (const size_t n : {kInCache, kInMemory}) {
    if (n == kInMemory && !bulk.in_memory) continue;
    const std::string name = bulk.name + (n == kInCache ? "/cache" : "/memory");
    auto* registered = benchmark::RegisterBenchmark(name.c_str(), Run, bulk, n);
    registered->UseManualTime()->Iterations(n == kInCache ? 100 : 7);
  }
}

kernels::AffineLayout BulkLayout(const BulkScales& scales) {
  constexpr size_t kMost = 4096;
  static const std::vector<float> scale = [] {
    std::vector<float> values(kMost);
    for (size_t i = 0; i < kMost; ++i) values[i] = 0.0078f + 1e-6f * static_cast<float>(i % 1000);
    return values;
  }();
  static const std::vector<int32_t> offset(kMost, 0);
  return {scale.data(), offset.data(), scales.count, scales.run};
}

}  // namespace lq::bench
