// The inner loops of the AMX kernels: packed rows of A times a panel of s8 weights, over the whole of k. `Tiles` is
// AmxTiles or AmxModel.
//
// A step is 64 k: an A tile is 16 rows x 64 k, a B tile 16 quads of k x 16 channels, which is how panels lie in memory
// (packing.h). Six tiles hold sums, one A and one B are in flight (the unit renames them): 3 x 2 tiles of sums take 7
// loads for 6 products. A load from L1 takes 9.5 cycles, a product 16.
#ifndef LANEQUANT_KERNELS_MATMUL_AMX_TILES_H_
#define LANEQUANT_KERNELS_MATMUL_AMX_TILES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/amx_tiles.h"
#include "kernels/packing.h"

namespace lq::kernels::amx {

// Of 16 rows that one pass over a panel takes.
constexpr size_t kMostRowTiles = 3;

// All registers are full tiles: A is packed with zeros up to whole tiles, and the panel's last step likewise.
constexpr TileConfig kConfig = {
    1,
    0,
    {},
    {64, 64, 64, 64, 64, 64, 64, 64},
    {kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows}};

// A panel of s8 weights. The rows of its last step are elsewhere where the panel ends within the step.
struct Panel {
  const int8_t* w;
  size_t row_bytes;         // from quad to quad: 64 per group
  size_t full_steps;        // in w
  const int8_t* last_step;  // or null
};

// What is fetched into L2 during a panel: the next one. From memory or L3 the unit would wait for it.
class Prefetcher {
 public:
  Prefetcher(const void* begin, size_t bytes, size_t steps)
      : next_(static_cast<const char*>(begin)), end_(next_ + bytes), bytes_per_step_((bytes / 64 / steps + 1) * 64) {}

  void Step() {
    const char* stop = next_ + std::min(bytes_per_step_, static_cast<size_t>(end_ - next_));
    for (; next_ < stop; next_ += 64) __builtin_prefetch(next_, 0, 2);
    next_ = stop;
  }

 private:
  const char* next_;
  const char* end_;
  size_t bytes_per_step_;
};

struct StripArgs {
  const uint8_t* a;   // the first tile of the first row tile; a row tile has one per step
  size_t a_row_tile;  // bytes from row tile to row tile
  Panel panel;
  int32_t* acc;  // kPanelChannels per row
  Prefetcher* prefetcher;
};

// acc = rows x channels, kRows row tiles x kGroups groups from `group` on.
template <class Tiles, int kRows, int kGroups>
class Block {
 public:
  static void Multiply(const StripArgs& args, size_t group) {
    ForSums([&]<int kTile>() { Tiles::template Zero<kTile>(); });
    const uint8_t* a = args.a;
    const int8_t* w = args.panel.w + group * kTileRowBytes;
    for (size_t step = 0; step < args.panel.full_steps; ++step) {
      Step(args, a, w);
      args.prefetcher->Step();
      a += kTileBytes;
      w += kTileRows * args.panel.row_bytes;
    }
    if (args.panel.last_step != nullptr) Step(args, a, args.panel.last_step + group * kTileRowBytes);
    ForSums([&]<int kTile>() {
      int32_t* acc = args.acc + kTile / kGroups * kTileRows * kPanelChannels;
      Tiles::template Store<kTile>(acc + (group + kTile % kGroups) * kGroupChannels, kPanelChannels * sizeof(int32_t));
    });
  }

 private:
  static constexpr int kA = 6, kB = 7;
  static_assert(kRows * kGroups <= kA);

  template <class Visit>
  static void ForSums(Visit visit) {
    ForEach<kRows * kGroups>(visit);
  }

  template <int kCount, class Visit>
  static void ForEach(Visit visit) {
    if constexpr (kCount > 0) {
      ForEach<kCount - 1>(visit);
      visit.template operator()<kCount - 1>();
    }
  }

  // Every other group takes the rows in reverse: the first one's tile is still there.
  static void Step(const StripArgs& args, const uint8_t* a, const int8_t* w) {
    ForEach<kGroups>([&]<int kGroup>() {
      Tiles::template Load<kB>(w + kGroup * kTileRowBytes, args.panel.row_bytes);
      ForEach<kRows>([&]<int kIndex>() {
        constexpr int kRow = kGroup % 2 == 0 ? kIndex : kRows - 1 - kIndex;
        if constexpr (kIndex > 0 || kGroup == 0) Tiles::template Load<kA>(a + kRow * args.a_row_tile, kTileRowBytes);
        Tiles::template DotU8S8<kRow * kGroups + kGroup, kA, kB>();
      });
    });
  }
};

// kRows row tiles x all groups of the panel.
template <class Tiles, int kRows>
void MultiplyRows(const StripArgs& args, size_t groups) {
  constexpr int kGroups = kRows == 1 ? 4 : 2;
  size_t group = 0;
  for (; group + kGroups <= groups; group += kGroups) Block<Tiles, kRows, kGroups>::Multiply(args, group);
  for (; group < groups; ++group) Block<Tiles, kRows, 1>::Multiply(args, group);
}

// 1 .. kMostRowTiles row tiles.
template <class Tiles>
void MultiplyStrip(const StripArgs& args, size_t row_tiles, size_t groups) {
  if (row_tiles == 1) MultiplyRows<Tiles, 1>(args, groups);
  if (row_tiles == 2) MultiplyRows<Tiles, 2>(args, groups);
  if (row_tiles == 3) MultiplyRows<Tiles, 3>(args, groups);
}

}  // namespace lq::kernels::amx

#endif  // LANEQUANT_KERNELS_MATMUL_AMX_TILES_H_
