// u8 x LPBQ s4 matrix product: weights stay 4-bit in memory, the whole reduction over k is integer.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u8s4.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/matmul_panel-inl.h"
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

static HWY_NOINLINE SignedRows SignRows(const MatmulArgs& args, const PackedS4& layout, size_t first) {
  const S4Scratch scratch = {std::min(args.m, kSignedRows), args.k};
  uint8_t* base = static_cast<uint8_t*>(args.scratch);
  const SignedRows rows = {base, scratch.stride(), reinterpret_cast<int32_t*>(base + scratch.SumsOffset()), first,
                           std::min(kSignedRows, args.m - first)};
  for (size_t r = 0; r < rows.count; ++r) {
    SignRow(args.a + (first + r) * args.a_stride, layout, rows.a + r * rows.stride, rows.sums + r * layout.blocks());
  }
  return rows;
}

static HWY_NOINLINE void MultiplyFused(const MatmulArgs& args, const PackedS4& layout, const SignedRows& rows,
                                       const Panel& panel) {
  const S4Blocks blocks(layout, panel.data, panel.groups);
  HWY_ALIGN int32_t acc[kMaxRows * kPanelChannels];
  const Strips strips(rows.count, kMaxRows);
  for (size_t i = 0, row = 0; i < strips.count(); ++i) {
    const size_t strip = strips.rows(i);
    const TileArgs t = {rows.a + row * rows.stride,
                        rows.stride,
                        rows.sums + row * layout.blocks(),
                        layout.blocks(),
                        0,
                        panel.groups * 64,
                        args.block,
                        acc};
    CallStrip(t, blocks, strip, std::make_index_sequence<kMaxRows>());
    FinishStrip(args, acc, args.epilogue->start_s8, {rows.first + row, strip, panel.n0});
    row += strip;
  }
}

// More rows than kSignedRows.
static HWY_NOINLINE void MultiplyUnpacked(const MatmulArgs& args, const S4Blocks& blocks, const Panel& panel) {
  const S4Scratch scratch = {kSignedRows, args.k};
  int8_t* unpacked = static_cast<int8_t*>(args.scratch) + scratch.PanelOffset();
  HWY_ALIGN int32_t acc[kMaxRows * kPanelChannels];
  const size_t first = Strips(args.m, kMaxRows).rows(0);
  UnpackAndMultiplyStrip({args.a, args.a_stride, 0, panel.groups * 64, unpacked, acc}, blocks, first);
  FinishStrip(args, acc, args.epilogue->start_u8, {0, first, panel.n0});
  MultiplyPanel(args, {args.a + first * args.a_stride, args.a_stride, first, args.m - first}, unpacked, panel.n0);
}

static void MultiplyManyRows(const MatmulArgs& args, const PackedS4& layout, const Panel& panel) {
  const S4Blocks blocks(layout, panel.data, panel.groups);
  if (ScalesFitS8(blocks, panel.groups)) {
    MultiplyUnpacked(args, blocks, panel);
    return;
  }
  for (size_t row = 0; row < args.m; row += kSignedRows) {
    MultiplyFused(args, layout, SignRows(args, layout, row), panel);
  }
}

void MatmulU8S4(const MatmulArgs& args) {
  const PackedS4 layout = {args.n, args.k, args.block};
  const bool few = args.m <= kSignedRows;
  const SignedRows rows = few ? SignRows(args, layout, 0) : SignedRows();
  const Panels panels(args, layout);
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const Panel panel = panels.At(n0);
    if (few) {
      MultiplyFused(args, layout, rows, panel);
    } else {
      MultiplyManyRows(args, layout, panel);
    }
  }
}

#else  // LQ_NATIVE_DOT

void MatmulU8S4(const MatmulArgs& args) {
  const PackedS4 layout = {args.n, args.k, args.block};
  const Strips strips(args.m, kMaxPairRows);
  HWY_ALIGN int32_t acc[kMaxPairRows * kPanelChannels];
  const Panels panels(args, layout);
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const Panel panel = panels.At(n0);
    const S4Blocks blocks(layout, panel.data, panel.groups);
    for (size_t i = 0, row = 0; i < strips.count(); ++i) {
      const size_t rows = strips.rows(i);
      CallPairStrip({args.a + row * args.a_stride, args.a_stride, panel.groups * 64, args.block, acc}, blocks, rows,
                    std::make_index_sequence<kMaxPairRows>());
      FinishStrip(args, acc, args.epilogue->start_u8, {row, rows, n0});
      row += rows;
    }
  }
}

#endif  // LQ_NATIVE_DOT

}  // namespace s4

using s4::MatmulU8S4;

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFn>> MatmulU8S4Variants() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU8S4));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
