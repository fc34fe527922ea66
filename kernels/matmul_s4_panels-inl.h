// LPBQ s4 panels times rows of A, finished: matmul_u8s4 and matmul_u16s4. Where the CPU multiplies u8 x s8 quads, few
// rows unpack the weights in registers, many leave them behind as s8 panels; elsewhere pairs of 16-bit sums.

#if defined(LANEQUANT_KERNELS_MATMUL_S4_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_S4_PANELS_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_S4_PANELS_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_S4_PANELS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/contracts.h"
#include "kernels/matmul_panel-inl.h"
#include "kernels/matmul_rows.h"
#include "kernels/matmul_s4_blocks.h"
#include "kernels/matmul_s4_expand-inl.h"
#include "kernels/matmul_s4_pairs-inl.h"
#include "kernels/matmul_s4_unpack-inl.h"
#include "kernels/matmul_s4_vnni-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace s4 {

struct Panel {
  const uint8_t* data;
  size_t n0, groups;
};

// The panels of a call, in order; all but the last are full.
class Panels {
 public:
  Panels(const MatmulArgs& args, const PackedS4& layout)
      : w_(static_cast<const uint8_t*>(args.w)),
        full_bytes_(layout.PanelBytes(kPanelChannels / kGroupChannels)),
        n_(args.n) {}
  Panel At(size_t n0) const { return {w_ + n0 / kPanelChannels * full_bytes_, n0, PanelGroups(n_, n0)}; }

 private:
  const uint8_t* w_;
  size_t full_bytes_, n_;
};

#if LQ_NATIVE_DOT

struct SignedRows {
  uint8_t* a;
  size_t stride;
  int32_t* sums;
  size_t first, count;  // rows of A
};

// As many rows of A as the fused kernels take at once, from row `first` of `rows` on.
template <size_t kPlanes>
static HWY_NOINLINE SignedRows SignRows(const PanelRows& rows, const PackedS4& layout, size_t first, uint8_t* scratch) {
  const size_t count = std::min(kSignedRows / kPlanes, rows.count - first);
  const S4Scratch offsets = {std::min(rows.count * kPlanes, kSignedRows), layout.k};
  const SignedRows out = {scratch, offsets.stride(), reinterpret_cast<int32_t*>(scratch + offsets.SumsOffset()),
                          rows.first + first, count};
  const uint8_t* a = rows.a + first * kPlanes * rows.a_stride;
  for (size_t r = 0; r < count * kPlanes; ++r) {
    SignRow(a + r * rows.a_stride, layout, out.a + r * out.stride, out.sums + r * layout.blocks());
  }
  return out;
}

template <size_t kPlanes>
static HWY_NOINLINE void MultiplyFused(const MatmulArgs& args, const PackedS4& layout, const SignedRows& rows,
                                       const Panel& panel) {
  const S4Blocks blocks(layout, panel.data, panel.groups);
  HWY_ALIGN int32_t acc[kMaxRows * kPanelChannels];
  const Strips strips(rows.count, kMaxRows / kPlanes);
  for (size_t i = 0, row = 0; i < strips.count(); ++i) {
    const size_t strip = strips.rows(i);
    const TileArgs t = {rows.a + row * kPlanes * rows.stride,
                        rows.stride,
                        rows.sums + row * kPlanes * layout.blocks(),
                        layout.blocks(),
                        0,
                        panel.groups * 64,
                        args.block,
                        acc};
    CallStrip(t, blocks, strip * kPlanes, std::make_index_sequence<kMaxRows>());
    FinishStrip<kPlanes>(args, acc, Bytes::kMinus128, {rows.first + row, strip, panel.n0});
    row += strip;
  }
}

// More rows than the fused kernels take at once.
template <size_t kPlanes>
static HWY_NOINLINE void MultiplyUnpacked(const MatmulArgs& args, const S4Blocks& blocks, const PanelRows& rows,
                                          const Panel& panel, uint8_t* scratch) {
  int8_t* unpacked = reinterpret_cast<int8_t*>(scratch) + S4Scratch{kSignedRows, args.k}.PanelOffset();
  HWY_ALIGN int32_t acc[kMaxRows * kPanelChannels];
  const size_t first = Strips(rows.count, kMaxRows / kPlanes).rows(0);
  UnpackAndMultiplyStrip({rows.a, rows.a_stride, 0, panel.groups * 64, unpacked, acc}, blocks, first * kPlanes);
  FinishStrip<kPlanes>(args, acc, Bytes::kRaw, {rows.first, first, panel.n0});
  const PanelRows others = {rows.a + first * kPlanes * rows.a_stride, rows.a_stride, rows.first + first,
                            rows.count - first};
  MultiplyPanel<kPlanes>(args, others, unpacked, panel.n0);
}

template <size_t kPlanes>
static void MultiplyManyRows(const MatmulArgs& args, const PackedS4& layout, const PanelRows& rows, const Panel& panel,
                             uint8_t* scratch) {
  const S4Blocks blocks(layout, panel.data, panel.groups);
  if (ScalesFitS8(blocks, panel.groups)) {
    MultiplyUnpacked<kPlanes>(args, blocks, rows, panel, scratch);
    return;
  }
  for (size_t row = 0; row < rows.count; row += kSignedRows / kPlanes) {
    MultiplyFused<kPlanes>(args, layout, SignRows<kPlanes>(rows, layout, row, scratch), panel);
  }
}

// scratch: S4Scratch{kSignedRows, k}, or less for fewer rows.
template <size_t kPlanes>
static void MultiplyPanels(const MatmulArgs& args, const PanelRows& rows, uint8_t* scratch) {
  const PackedS4 layout = {args.n, args.k, args.block};
  const bool few = rows.count * kPlanes <= kSignedRows;
  const SignedRows signed_rows = few ? SignRows<kPlanes>(rows, layout, 0, scratch) : SignedRows();
  const Panels panels(args, layout);
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const Panel panel = panels.At(n0);
    if (few) {
      MultiplyFused<kPlanes>(args, layout, signed_rows, panel);
    } else {
      MultiplyManyRows<kPlanes>(args, layout, rows, panel, scratch);
    }
  }
}

#else  // LQ_NATIVE_DOT

// scratch: SplitStride(k) for each row, with its planes.
template <size_t kPlanes>
static void MultiplySomeRows(const MatmulArgs& args, const PanelRows& rows, uint8_t* scratch) {
  const PackedS4 layout = {args.n, args.k, args.block};
  auto* starts = reinterpret_cast<ChunkStart*>(scratch);  // at most k / 4 chunks of 8 bytes a row
  ChunkStart* end = starts;
  for (size_t r = 0; r < rows.count * kPlanes; ++r) {
    end = StartRow(rows.a + r * rows.a_stride, S4Blocks(layout, static_cast<const uint8_t*>(args.w), 1), end);
  }
  const size_t chunks = static_cast<size_t>(end - starts) / (rows.count * kPlanes);
  const Strips strips(rows.count, kMaxPairRows / kPlanes);
  HWY_ALIGN int32_t acc[kMaxPairRows * kPanelChannels];
  const Panels panels(args, layout);
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const Panel panel = panels.At(n0);
    const S4Blocks blocks(layout, panel.data, panel.groups);
    for (size_t i = 0, row = 0; i < strips.count(); ++i) {
      const size_t strip = strips.rows(i), first = row * kPlanes;
      CallPairStrip({rows.a + first * rows.a_stride, rows.a_stride, starts + first * chunks, chunks, panel.groups * 64,
                     args.block, acc},
                    blocks, strip * kPlanes, std::make_index_sequence<kMaxPairRows>());
      FinishStrip<kPlanes>(args, acc, Bytes::kRaw, {rows.first + row, strip, n0});
      row += strip;
    }
  }
}

template <size_t kPlanes>
static void MultiplyPanels(const MatmulArgs& args, const PanelRows& rows, uint8_t* scratch) {
  const Strips parts(rows.count, kSplitRows / kPlanes);
  for (size_t i = 0, row = 0; i < parts.count(); row += parts.rows(i), ++i) {
    MultiplySomeRows<kPlanes>(
        args, {rows.a + row * kPlanes * rows.a_stride, rows.a_stride, rows.first + row, parts.rows(i)}, scratch);
  }
}

#endif  // LQ_NATIVE_DOT

}  // namespace s4
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_S4_PANELS_INL_H_
