// The AMX kernels but for their inner loops: rows of A packed into tiles, s4 panels expanded, sums finished as by every
// other kernel. `Tiles` is AmxTiles or AmxModel. kPlanes as in matmul_panel-inl.h.
//
// As many rows of A as stay in L2 beside a panel are packed; all panels pass by them, each used by strips of 48 rows.

#if defined(LANEQUANT_KERNELS_MATMUL_AMX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_AMX_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_AMX_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_AMX_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/matmul_amx_tiles.h"
#include "kernels/matmul_panel-inl.h"
#include "kernels/matmul_planes-inl.h"
#include "kernels/matmul_rows.h"
#include "kernels/matmul_s4_blocks.h"
#include "kernels/matmul_s4_expand-inl.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace amx_panels {

// Codes [first, first + count) of row `row` as kPlanes rows of a tile, whose other bytes stay.
template <size_t kPlanes>
HWY_INLINE void PackCodes(const MatmulArgs& args, size_t row, size_t first, size_t count, uint8_t* out) {
  if constexpr (kPlanes == 1) {
    CopyCodes(args, row, first, count, out);
  } else {
    const uint8_t* a = args.a + row * args.a_stride;
    SplitPlaneRow(reinterpret_cast<const uint16_t*>(a) + first, count, out, out + kTileRowBytes);
  }
}

// Rows of A, packed: [row tile][step][16 rows][64 k], zero where there is no row or no k.
struct PackedRows {
  uint8_t* a;
  size_t first, count;  // rows of A: kPlanes each here
};

template <size_t kPlanes>
static HWY_NOINLINE void PackRows(const MatmulArgs& args, const PackedRows& rows) {
  constexpr size_t kTileOutputs = kTileRows / kPlanes;
  uint8_t* out = rows.a;
  for (size_t row = 0; row < rows.count; row += kTileOutputs) {
    const size_t tile_rows = std::min(kTileOutputs, rows.count - row);
    for (size_t k = 0; k < args.k; k += kTileRowBytes, out += kTileBytes) {
      const size_t count = std::min(kTileRowBytes, args.k - k);
      if (tile_rows != kTileOutputs || count != kTileRowBytes) std::memset(out, 0, kTileBytes);
      for (size_t r = 0; r < tile_rows; ++r) {
        PackCodes<kPlanes>(args, rows.first + row + r, k, count, out + r * kPlanes * kTileRowBytes);
      }
    }
  }
}

// Of a packed panel.
struct PackedBytes {
  const void* data;
  size_t size;
};

// `next`: the panel that comes after this one.
template <class Tiles, size_t kPlanes>
static HWY_NOINLINE void MultiplyPanel(const MatmulArgs& args, const PackedRows& rows, const amx::Panel& panel,
                                       size_t n0, const PackedBytes& next) {
  constexpr size_t kTileOutputs = kTileRows / kPlanes;
  const size_t row_tiles = (rows.count + kTileOutputs - 1) / kTileOutputs;
  const size_t row_tile_bytes = AmxScratch::Steps(args.k) * kTileBytes;
  const Strips strips(row_tiles, amx::kMostRowTiles);
  const size_t passes = row_tiles == 1 ? 1 : 2 * strips.count();
  amx::Prefetcher prefetcher(next.data, next.size, std::max<size_t>(1, passes * panel.full_steps));
  HWY_ALIGN int32_t acc[amx::kMostRowTiles * kTileRows * kPanelChannels];
  for (size_t i = 0, tile = 0; i < strips.count(); tile += strips.rows(i), ++i) {
    amx::MultiplyStrip<Tiles>({rows.a + tile * row_tile_bytes, row_tile_bytes, panel, acc, &prefetcher}, strips.rows(i),
                              panel.row_bytes / kTileRowBytes);
    const size_t row = tile * kTileOutputs;
    const size_t count = std::min(strips.rows(i) * kTileOutputs, rows.count - row);
    FinishStrip<kPlanes>(args, acc, Bytes::kRaw, {rows.first + row, count, n0});
  }
}

// Panels as packed, but for a last step that ends within the panel: its rows are copied to whole tiles.
class WeightsS8 {
 public:
  WeightsS8(const MatmulArgs& args, uint8_t* scratch) : args_(args), last_step_(scratch) {}

  PackedBytes Packed(size_t n0) const {
    const int8_t* w = static_cast<const int8_t*>(args_.w) + PanelS8Offset(n0, args_.k);
    return {w, Quads() * RowBytes(n0)};
  }

  amx::Panel At(size_t n0) const {
    const int8_t* w = static_cast<const int8_t*>(Packed(n0).data);
    const size_t full_steps = Quads() / kTileRows, left = Quads() % kTileRows, row_bytes = RowBytes(n0);
    if (left == 0) return {w, row_bytes, full_steps, nullptr};
    std::memcpy(last_step_, w + full_steps * kTileRows * row_bytes, left * row_bytes);
    std::memset(last_step_ + left * row_bytes, 0, (kTileRows - left) * row_bytes);
    return {w, row_bytes, full_steps, reinterpret_cast<const int8_t*>(last_step_)};
  }

 private:
  size_t Quads() const { return (args_.k + 3) / 4; }
  size_t RowBytes(size_t n0) const { return PanelGroups(args_.n, n0) * 64; }

  const MatmulArgs& args_;
  uint8_t* last_step_;
};

// Panels expanded to s8 in scratch.
class WeightsS4 {
 public:
  WeightsS4(const MatmulArgs& args, uint8_t* scratch)
      : args_(args), layout_{args.n, args.k, args.block}, panel_(reinterpret_cast<int8_t*>(scratch)) {}

  PackedBytes Packed(size_t n0) const {
    const uint8_t* w = static_cast<const uint8_t*>(args_.w) + layout_.PanelOffset(n0);
    return {w, layout_.PanelBytes(PanelGroups(args_.n, n0))};
  }

  amx::Panel At(size_t n0) const {
    const size_t groups = PanelGroups(args_.n, n0), steps = AmxScratch::Steps(args_.k);
    s4::ExpandPanel(Blocks(n0), groups, steps * kTileRows, panel_);
    return {panel_, groups * 64, steps, nullptr};
  }

  // Else the products leave s8.
  bool ScalesFit() const {
    for (size_t n0 = args_.n_begin; n0 < args_.n_end; n0 += kPanelChannels) {
      if (!s4::ScalesFitS8(Blocks(n0), PanelGroups(args_.n, n0))) return false;
    }
    return true;
  }

 private:
  S4Blocks Blocks(size_t n0) const {
    return S4Blocks(layout_, static_cast<const uint8_t*>(Packed(n0).data), PanelGroups(args_.n, n0));
  }

  const MatmulArgs& args_;
  PackedS4 layout_;
  int8_t* panel_;
};

inline uint8_t* PanelScratch(const MatmulArgs& args, size_t planes) {
  return static_cast<uint8_t*>(args.scratch) + AmxScratch{args.m * planes, args.k}.PanelOffset();
}

template <class Tiles, size_t kPlanes, class Weights>
static void MultiplyPanels(const MatmulArgs& args, const Weights& weights) {
  constexpr size_t kTileOutputs = kTileRows / kPlanes;
  const Strips blocks((args.m + kTileOutputs - 1) / kTileOutputs, AmxScratch::MostRowTiles(args.k));
  Tiles::Configure(amx::kConfig);
  for (size_t i = 0, row = 0; i < blocks.count(); row += blocks.rows(i) * kTileOutputs, ++i) {
    const PackedRows rows = {static_cast<uint8_t*>(args.scratch), row,
                             std::min(blocks.rows(i) * kTileOutputs, args.m - row)};
    PackRows<kPlanes>(args, rows);
    for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
      const size_t next = n0 + kPanelChannels;
      MultiplyPanel<Tiles, kPlanes>(args, rows, weights.At(n0), n0,
                                    next < args.n_end ? weights.Packed(next) : PackedBytes{nullptr, 0});
    }
  }
  Tiles::Release();
}

template <class Tiles, size_t kPlanes>
static void MultiplyS8(const MatmulArgs& args) {
  MultiplyPanels<Tiles, kPlanes>(args, WeightsS8(args, PanelScratch(args, kPlanes)));
}

// False, and nothing done, where scales are too large.
template <class Tiles, size_t kPlanes>
static bool MultiplyS4(const MatmulArgs& args) {
  const WeightsS4 weights(args, PanelScratch(args, kPlanes));
  if (!weights.ScalesFit()) return false;
  MultiplyPanels<Tiles, kPlanes>(args, weights);
  return true;
}

}  // namespace amx_panels
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_AMX_INL_H_
