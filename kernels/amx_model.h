// AmxTiles in C++, after the operation sections of Intel's manual, so that kernels written for tiles are tested on
// CPUs without them. For tests: no part of the library.
#ifndef LANEQUANT_KERNELS_AMX_MODEL_H_
#define LANEQUANT_KERNELS_AMX_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/amx_tiles.h"

namespace lq::kernels {

// What raises an exception on the CPU stops the program.
class AmxModel {
 public:
  static void Configure(const TileConfig& config) {
    Require(config.palette == 1 && config.start_row == 0);
    for (size_t i = 0; i < sizeof(config.reserved); ++i) Require(config.reserved[i] == 0);
    for (size_t i = 0; i < 16; ++i) {
      const bool used = config.rows[i] != 0;
      Require(i < kTiles ? used == (config.row_bytes[i] != 0) : !used && config.row_bytes[i] == 0);
      Require(config.rows[i] <= kTileRows && config.row_bytes[i] <= kTileRowBytes);
    }
    for (size_t i = 0; i < kTiles; ++i) state_.tiles[i] = {config.rows[i], config.row_bytes[i], {}};
    state_.configured = true;
  }
  static void Release() { state_ = {}; }

  template <int kTile>
  static void Zero() {
    std::memset(Used(kTile).data, 0, kTileBytes);
  }

  template <int kTile>
  static void Load(const void* from, size_t stride) {
    Tile& tile = Used(kTile);
    std::memset(tile.data, 0, kTileBytes);
    const uint8_t* bytes = static_cast<const uint8_t*>(from);
    for (size_t r = 0; r < tile.rows; ++r) std::memcpy(tile.data[r], bytes + r * stride, tile.row_bytes);
  }

  template <int kTile>
  static void Store(void* to, size_t stride) {
    const Tile& tile = Used(kTile);
    uint8_t* bytes = static_cast<uint8_t*>(to);
    for (size_t r = 0; r < tile.rows; ++r) std::memcpy(bytes + r * stride, tile.data[r], tile.row_bytes);
  }

  template <int kC, int kA, int kB>
  static void DotU8S8() {
    static_assert(kC != kA && kC != kB && kA != kB);
    Tile& c = Used(kC);
    const Tile &a = Used(kA), &b = Used(kB);
    Require(c.rows == a.rows && a.row_bytes == b.rows * 4 && c.row_bytes == b.row_bytes && c.row_bytes % 4 == 0);
    for (size_t m = 0; m < c.rows; ++m) AddRow(a.data[m], b, c.data[m]);
  }

 private:
  static constexpr size_t kTiles = 8;

  struct Tile {
    size_t rows, row_bytes;
    uint8_t data[kTileRows][kTileRowBytes];  // zero beyond the rows and their bytes
  };
  struct State {
    bool configured;
    Tile tiles[kTiles];
  };

  static void Require(bool legal) {
    if (!legal) __builtin_trap();
  }

  static Tile& Used(int i) {
    Require(state_.configured && state_.tiles[i].rows != 0);
    return state_.tiles[i];
  }

  // One row of C; what lies behind its bytes becomes zero.
  static void AddRow(const uint8_t* a, const Tile& b, uint8_t* c) {
    uint32_t sums[kTileRowBytes / 4] = {};
    std::memcpy(sums, c, b.row_bytes);
    for (size_t k = 0; k < b.rows; ++k) {
      if (std::memcmp(a + 4 * k, "\0\0\0", 4) == 0) continue;  // padding adds nothing, and tests have much of it
      for (size_t i = 0; i < b.row_bytes; ++i) {
        sums[i / 4] += static_cast<uint32_t>(int32_t{a[4 * k + i % 4]} * static_cast<int8_t>(b.data[k][i]));
      }
    }
    std::memcpy(c, sums, kTileRowBytes);
  }

  static inline thread_local State state_ = {};
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_AMX_MODEL_H_
