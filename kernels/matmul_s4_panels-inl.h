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

// The panels of a call, in order.
class Panels {
 public:
  explicit Panels(const MatmulArgs& args)
      : layout_{args.n, args.k, args.block},
        w_(static_cast<const uint8_t*>(args.w)),
        full_bytes_(layout_.PanelBytes(kPanelChannels / kGroupChannels)),
        blocks_(layout_, w_, PanelGroups(args.n, args.n_begin)) {}

  const PackedS4& layout() const { return layout_; }
  // The panel at channel n0. All but the last are full.
  const S4Blocks& At(size_t n0) {
    const uint8_t* panel = w_ + n0 / kPanelChannels * full_bytes_;
    const size_t groups = PanelGroups(layout_.n, n0);
    if (groups != blocks_.groups()) blocks_ = S4Blocks(layout_, panel, groups);
    blocks_.MoveTo(panel);
    return blocks_;
  }

 private:
  PackedS4 layout_;
  const uint8_t* w_;
  size_t full_bytes_;
  S4Blocks blocks_;
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
static HWY_NOINLINE void MultiplyFused(const MatmulArgs& args, const SignedRows& rows, const S4Blocks& blocks,
                                       size_t n0) {
  HWY_ALIGN int32_t acc[kMaxRows * kPanelChannels];
  const size_t count = blocks.count();
  const Strips strips(rows.count, kMaxRows / kPlanes);
  for (size_t i = 0, row = 0; i < strips.count(); ++i) {
    const size_t strip = strips.rows(i), first = row * kPlanes;
    const TileArgs t = {rows.a + first * rows.stride,
                        rows.stride,
                        rows.sums + first * count,
                        count,
                        0,
                        blocks.groups() * 64,
                        args.block,
                        acc};
    CallStrip(t, blocks, strip * kPlanes);
    FinishStrip<kPlanes>(args, acc, Bytes::kMinus128, {rows.first + row, strip, n0});
    row += strip;
  }
}

// More rows than the fused kernels take at once.
template <size_t kPlanes>
static HWY_NOINLINE void MultiplyUnpacked(const MatmulArgs& args, const PanelRows& rows, const S4Blocks& blocks,
                                          size_t n0, uint8_t* scratch) {
  int8_t* unpacked = reinterpret_cast<int8_t*>(scratch) + S4Scratch{kSignedRows, args.k}.PanelOffset();
  HWY_ALIGN int32_t acc[kUnpackRows * kPanelChannels];
  const size_t first = Strips(rows.count, kUnpackRows / kPlanes).rows(0);
  UnpackAndMultiplyStrip({rows.a, rows.a_stride, 0, blocks.groups() * 64, unpacked, acc}, blocks, first * kPlanes);
  FinishStrip<kPlanes>(args, acc, Bytes::kRaw, {rows.first, first, n0});
  const PanelRows others = {rows.a + first * kPlanes * rows.a_stride, rows.a_stride, rows.first + first,
                            rows.count - first};
  MultiplyPanel<kPlanes>(args, others, unpacked, n0);
}

template <size_t kPlanes>
static void MultiplyManyRows(const MatmulArgs& args, const PanelRows& rows, const PackedS4& layout,
                             const S4Blocks& blocks, size_t n0, uint8_t* scratch) {
  if (ScalesFitS8(blocks, blocks.groups())) return MultiplyUnpacked<kPlanes>(args, rows, blocks, n0, scratch);
  for (size_t row = 0; row < rows.count; row += kSignedRows / kPlanes) {
    MultiplyFused<kPlanes>(args, SignRows<kPlanes>(rows, layout, row, scratch), blocks, n0);
  }
}

// scratch: S4Scratch{kSignedRows, k}, or less for fewer rows.
template <size_t kPlanes>
static void MultiplyPanels(const MatmulArgs& args, const PanelRows& rows, uint8_t* scratch) {
  Panels panels(args);
  const bool few = rows.count * kPlanes <= kSignedRows;
  const SignedRows signed_rows = few ? SignRows<kPlanes>(rows, panels.layout(), 0, scratch) : SignedRows();
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const S4Blocks& blocks = panels.At(n0);
    if (few) {
      MultiplyFused<kPlanes>(args, signed_rows, blocks, n0);
    } else {
      MultiplyManyRows<kPlanes>(args, rows, panels.layout(), blocks, n0, scratch);
    }
  }
}

#else  // LQ_NATIVE_DOT

// Rows of A, with their planes, that are interleaved at a time: k bytes each, and at most k / 4 chunk starts of 8
// bytes. So many fit where other targets unpack a panel (S4Scratch), or all that fit where others split rows: with
// blocks of 64 these are 128, and a panel is read from memory once for 32 strips.
constexpr size_t kInterleavedRows = 20;
inline size_t InterleavedRows(size_t rows, size_t k, size_t chunks) {
  const size_t split_bytes = std::min(rows, kSplitRows) * SplitStride(k), row_bytes = k + chunks * sizeof(ChunkStart);
  return std::max(kInterleavedRows, std::min(kSplitRows, (std::max<size_t>(split_bytes, 64) - 64) / row_bytes));
}

template <size_t kPlanes>
static void MultiplySomeRows(const MatmulArgs& args, const PanelRows& rows, uint8_t* scratch) {
  Panels panels(args);
  const S4Blocks& any_panel = panels.At(args.n_begin);
  const size_t chunks = ChunksOfRow(any_panel);
  uint8_t* a = scratch;
  auto* start = reinterpret_cast<ChunkStart*>(scratch + RoundUp(rows.count * kPlanes * args.k, 64));
  const Strips strips(rows.count, kMaxPairRows / kPlanes);
  for (size_t i = 0, row = 0; i < strips.count(); row += strips.rows(i) * kPlanes, ++i) {
    const size_t count = strips.rows(i) * kPlanes;
    for (size_t r = 0; r < count; ++r) {
      const uint8_t* from = rows.a + (row + r) * rows.a_stride;
      InterleaveRow(from, args.k, count, a + row * args.k + 4 * r);
      StartRow(from, any_panel, count, start + row * chunks + r);
    }
  }
  HWY_ALIGN int32_t acc[kMaxPairRows * kPanelChannels];
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const S4Blocks& blocks = panels.At(n0);
    for (size_t i = 0, row = 0; i < strips.count(); ++i) {
      const size_t strip = strips.rows(i), first = row * kPlanes;
      CallPairStrip({a + first * args.k, start + first * chunks, blocks.groups() * 64, args.block, acc}, blocks,
                    strip * kPlanes, std::make_index_sequence<kMaxPairRows>());
      FinishStrip<kPlanes>(args, acc, Bytes::kRaw, {rows.first + row, strip, n0});
      row += strip;
    }
  }
}

template <size_t kPlanes>
static void MultiplyPanels(const MatmulArgs& args, const PanelRows& rows, uint8_t* scratch) {
  const size_t chunks = ChunksOfRow(Panels(args).At(args.n_begin));
  const Strips parts(rows.count, InterleavedRows(rows.count * kPlanes, args.k, chunks) / kPlanes);
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
