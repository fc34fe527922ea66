// The tile unit of a CPU with AMX-INT8: eight registers, each up to 16 rows x 64 bytes. One of two backends of the
// kernels in matmul_amx-inl.h; the other, AmxModel (amx_model.h), says in C++ what each instruction does.
//
// Instructions by their text, not by the compiler's functions: those of g++ 12 take tile numbers as literals only, do
// not tell the compiler that memory is read, and pass 8 bytes of the configuration, so that the rest of one on the
// stack is optimized away. No option of the compiler is needed either, nor code that older CPUs must not run.
#ifndef LANEQUANT_KERNELS_AMX_TILES_H_
#define LANEQUANT_KERNELS_AMX_TILES_H_

#include <cstddef>
#include <cstdint>

namespace lq::kernels {

constexpr size_t kTileRows = 16, kTileRowBytes = 64, kTileBytes = kTileRows * kTileRowBytes;

// The memory operand of LDTILECFG.
struct alignas(64) TileConfig {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

#if defined(__x86_64__)

// The CPU must have AMX-INT8 and the kernel must have granted it (own_targets.h).
struct AmxTiles {
  // Sets the shapes of all registers, which become zero. Each thread has registers of its own.
  static void Configure(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  // Threads that hold tiles take longer to switch.
  static void Release() { asm volatile("tilerelease"); }

  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void Load(const void* from, size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void Store(void* to, size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // c[m][n] += sum over the four bytes j of a[m][k] (u8) * b[k][n] (s8), for all k; wraps in 32 bits.
  template <int kC, int kA, int kB>
  static void DotU8S8() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
  }
};

#endif

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_AMX_TILES_H_
