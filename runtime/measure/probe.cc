#include "runtime/measure/probe.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "kernels/amx_tiles.h"
#include "kernels/own_targets.h"
#include "runtime/measure/clock.h"

namespace lq {
namespace {

// Best rate of a few passes, in each of which body(worker) is called for every worker, each call worth `work`.
template <class Body>
double BestRate(double work, Executor& executor, Body body) {
  const size_t parts = executor.workers();
  double best = 0;
  for (int pass = 0; pass < 5; ++pass) {
    const double seconds = measure::Seconds([&] { executor.ForEach(parts, [&](size_t part, size_t) { body(part); }); });
    best = std::max(best, static_cast<double>(parts) * work / seconds);
  }
  return best;
}

uint64_t ReadWords(const char* p, size_t bytes) {
  uint64_t sum[8] = {};
  for (size_t i = 0; i + 64 <= bytes; i += 64) {
    uint64_t words[8];
    std::memcpy(words, p + i, 64);
    for (size_t j = 0; j < 8; ++j) sum[j] ^= words[j];
  }
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

constexpr int kIterations = 40000;  // about 0.1 ms

// A step mixes `reads` lines of 64 bytes into one, which it writes `writes` times; one of the two is 1.
struct StreamSteps {
  size_t count, reads, writes;
  bool nontemporal;
};

// The smaller side of each step.
void CopySteps(const char* in, char* out, const StreamSteps& steps) { std::memcpy(out, in, 64 * steps.count); }

}  // namespace

#if defined(__x86_64__) && defined(__GNUC__)

namespace {

// Twelve independent chains: more than latency times throughput of any unit.
#define LQ_TWELVE(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define LQ_CLOBBERS \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"
#define LQ_DOT_512(n) "vpdpbusd %%zmm15, %%zmm14, %%zmm" #n "\n"
#define LQ_DOT_256(n) "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm" #n "\n"
#define LQ_MADD_256(n) "vpmaddwd %%ymm15, %%ymm14, %%ymm" #n "\n"
#define LQ_FUSED_512(n) "vfmadd231ps %%zmm15, %%zmm14, %%zmm" #n "\n"
#define LQ_FUSED_256(n) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" #n "\n"
#define LQ_MADD_128(n) "pmaddwd %%xmm15, %%xmm" #n "\n"

void Dots512() {
  for (int i = 0; i < kIterations; ++i) asm volatile(LQ_TWELVE(LQ_DOT_512)::: LQ_CLOBBERS);
}
void Dots256() {
  for (int i = 0; i < kIterations; ++i) asm volatile(LQ_TWELVE(LQ_DOT_256)::: LQ_CLOBBERS);
}
// Four independent products: one starts every 16 cycles and takes 52.
constexpr int kTileIterations = 4000;
void Tiles() {
  kernels::TileConfig config = {};
  config.palette = 1;
  std::fill_n(config.row_bytes, 8, uint16_t{kernels::kTileRowBytes});
  std::fill_n(config.rows, 8, uint8_t{kernels::kTileRows});
  using Unit = kernels::AmxTiles;
  Unit::Configure(config);
  for (int i = 0; i < kTileIterations; ++i) {
    Unit::DotU8S8<0, 4, 5>();
    Unit::DotU8S8<1, 4, 6>();
    Unit::DotU8S8<2, 4, 7>();
    Unit::DotU8S8<3, 4, 5>();
  }
  Unit::Release();
}
void Fused512() {
  for (int i = 0; i < kIterations; ++i) asm volatile(LQ_TWELVE(LQ_FUSED_512)::: LQ_CLOBBERS);
}
void Fused256() {
  for (int i = 0; i < kIterations; ++i) asm volatile(LQ_TWELVE(LQ_FUSED_256)::: LQ_CLOBBERS);
}
void MultiplyAdds256() {
  for (int i = 0; i < kIterations; ++i) asm volatile(LQ_TWELVE(LQ_MADD_256)::: LQ_CLOBBERS);
}
void MultiplyAdds128() {
  for (int i = 0; i < kIterations; ++i) asm volatile(LQ_TWELVE(LQ_MADD_128)::: LQ_CLOBBERS);
}

// Eight streams of 32 bytes: XOR costs nothing beside the loads.
[[gnu::target("avx2")]] uint64_t ReadVectors(const char* p, size_t bytes) {
  typedef long long Vector __attribute__((vector_size(32), aligned(1), may_alias));
  Vector sum[8] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) sum[j] ^= *reinterpret_cast<const Vector*>(p + i + 32 * j);
  }
  const Vector total = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
  return static_cast<uint64_t>(total[0] ^ total[1] ^ total[2] ^ total[3]);
}

template <bool kNonTemporal>
[[gnu::target("avx512f")]] void StreamLines(const char* in, char* out, const StreamSteps& steps) {
  for (size_t i = 0; i < steps.count; ++i) {
    __m512i line = _mm512_load_si512(in);
    for (size_t j = 1; j < steps.reads; ++j) line = _mm512_xor_si512(line, _mm512_load_si512(in + 64 * j));
    for (size_t j = 0; j < steps.writes; ++j) {
      if (kNonTemporal) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(out + 64 * j), line);
      } else {
        _mm512_store_si512(out + 64 * j, line);
      }
    }
    in += 64 * steps.reads;
    out += 64 * steps.writes;
  }
  _mm_sfence();
}

uint64_t ReadAll(const char* p, size_t bytes) {
  return __builtin_cpu_supports("avx2") ? ReadVectors(p, bytes) : ReadWords(p, bytes);
}

void StreamAll(const char* in, char* out, const StreamSteps& steps) {
  if (!__builtin_cpu_supports("avx512f")) return CopySteps(in, out, steps);
  (steps.nontemporal ? StreamLines<true> : StreamLines<false>)(in, out, steps);
}

}  // namespace

double TilePeak(Executor& executor) {
  if (!kernels::WhyNotAmx(kernels::Amx()).empty()) return 0;
  return BestRate(kTileIterations * 4.0 * 16 * 16 * 64 * 2, executor, [](size_t) { Tiles(); });
}

double DotPeak(Executor& executor) {
  if (!__builtin_cpu_supports("avx512vnni")) {
    if (!kernels::HasAvxVnni()) return 0;
    return BestRate(kIterations * 12.0 * 64, executor, [](size_t) { Dots256(); });
  }
  return BestRate(kIterations * 12.0 * 128, executor, [](size_t) { Dots512(); });
}

double MultiplyAddPeak(Executor& executor) {
  if (__builtin_cpu_supports("avx2"))
    return BestRate(kIterations * 12.0 * 32, executor, [](size_t) { MultiplyAdds256(); });
  return BestRate(kIterations * 12.0 * 16, executor, [](size_t) { MultiplyAdds128(); });
}

double FloatPeak(Executor& executor) {
  if (__builtin_cpu_supports("avx512f")) return BestRate(kIterations * 12.0 * 32, executor, [](size_t) { Fused512(); });
  if (!__builtin_cpu_supports("fma")) return 0;
  return BestRate(kIterations * 12.0 * 16, executor, [](size_t) { Fused256(); });
}

#else

double FloatPeak(Executor&) { return 0; }

double TilePeak(Executor&) { return 0; }
double DotPeak(Executor&) { return 0; }

static uint64_t ReadAll(const char* p, size_t bytes) { return ReadWords(p, bytes); }

static void StreamAll(const char* in, char* out, const StreamSteps& steps) { CopySteps(in, out, steps); }

double MultiplyAddPeak(Executor& executor) {
  return BestRate(kIterations * 128.0, executor, [](size_t) {
    int16_t a[64], b[64];
    int32_t sum[64] = {};
    for (int i = 0; i < 64; ++i) a[i] = b[i] = static_cast<int16_t>(i);
    for (int i = 0; i < kIterations; ++i) {
      asm volatile("" : : "r"(a), "r"(b), "r"(sum) : "memory");
      for (int j = 0; j < 64; ++j) sum[j] += int32_t{a[j]} * b[j];
    }
  });
}

#endif

void Stream(const void* in, size_t in_bytes, void* out, size_t out_bytes, bool nontemporal, Executor& executor) {
  const size_t reads = std::max<size_t>(1, in_bytes / out_bytes), writes = std::max<size_t>(1, out_bytes / in_bytes);
  const size_t count = in_bytes / (64 * reads), parts = executor.workers();
  executor.ForEach(parts, [&](size_t part, size_t) {
    const size_t first = count * part / parts, last = count * (part + 1) / parts;
    StreamAll(static_cast<const char*>(in) + 64 * reads * first, static_cast<char*>(out) + 64 * writes * first,
              {last - first, reads, writes, nontemporal});
  });
}

double ReadBandwidth(const void* data, size_t bytes, Executor& executor) {
  std::atomic<uint64_t> sink = 0;  // what is not used would not be read
  const size_t part_bytes = bytes / executor.workers();
  return BestRate(static_cast<double>(part_bytes), executor, [&](size_t part) {
    sink ^= ReadAll(static_cast<const char*>(data) + part * part_bytes, part_bytes);
  });
}

}  // namespace lq
