// s8 panels times rows of A, finished: what matmul_u8s8 and matmul_u16s8 do for each of their panels, the s4 kernels
// for one that they have unpacked.

#if defined(LANEQUANT_KERNELS_MATMUL_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_PANEL_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_PANEL_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_PANEL_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/epilogue-inl.h"
#include "kernels/matmul_codes-inl.h"
#include "kernels/matmul_codes16-inl.h"
#include "kernels/matmul_rows.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

// What the tiles multiplied: bytes of codes, or those minus 128.
enum class Bytes { kRaw, kMinus128 };

// Outputs of rows where.row .. and the panel at channel where.n0. acc: kPlanes rows of kPanelChannels sums per output
// row. kPlanes: 1 for u8 codes; 2 for u16 codes, of which the high and the low bytes are rows of their own.
template <size_t kPlanes>
HWY_INLINE FinishArgs FinishOf(const MatmulArgs& args, const int32_t* acc, Bytes bytes, Block2d where) {
  const Epilogue& epilogue = *args.epilogue;
  const size_t index = where.row * args.out_stride + where.n0;
  FinishArgs finish;
  finish.acc = acc;
  finish.acc_stride = kPanelChannels;
  finish.rows = where.rows;
  finish.n0 = where.n0;
  finish.count = std::min(kPanelChannels, args.n_end - where.n0);
  finish.start = bytes == Bytes::kRaw ? epilogue.start_u8 : epilogue.start_s8;
  finish.epilogue = args.epilogue;
  finish.type = args.out_type;
  finish.out = static_cast<uint8_t*>(args.out) + index * SizeOf(args.out_type);
  finish.out_stride = args.out_stride;
  finish.plane_start = bytes == Bytes::kRaw ? epilogue.start_u16 : epilogue.start_s16;
  finish.row_terms = args.row_terms;
  finish.first_row = where.row;
  finish.missing = bytes == Bytes::kRaw ? 0 : kPlanes == 1 ? 128 : 128 * 257;
  return finish;
}

template <size_t kPlanes>
HWY_INLINE void FinishStrip(const MatmulArgs& args, const int32_t* acc, Bytes bytes, Block2d where) {
  const FinishArgs finish = FinishOf<kPlanes>(args, acc, bytes, where);
  if (args.row_terms != nullptr) return FinishRowTerms<kPlanes>(finish);
  if constexpr (kPlanes == 1) {
    Finish(finish);
  } else {
    FinishPlanes(finish);
  }
}

// Rows as the tiles read them: A itself, or its planes or split quads.
struct PanelRows {
  const uint8_t* a;
  size_t a_stride;
  size_t first, count;  // rows of A: kPlanes each here
  const Patches* patches = nullptr;
};

// Rows of outputs, of whole strips, whose sums (7 KiB) are finished together: strip by strip it costs 5 % of a layer of
// k = 64 more.
constexpr size_t kFinishRows = 28;

#if LQ_NATIVE_DOT
// Codes that are finished where their sums are: matmul_codes-inl.h.
template <size_t kPlanes>
HWY_INLINE bool FitsRegisters(const MatmulArgs& args, size_t n0) {
  return kPlanes == 1 ? codes::Fits(args, n0) : codes16::Fits(args, n0);
}
template <size_t kPlanes>
HWY_INLINE void MultiplyInRegisters(const TileArgs& t, const FinishArgs& finish) {
  if constexpr (kPlanes == 1) {
    codes::MultiplyStrip(t, finish);
  } else {
    codes16::MultiplyStrip(t, finish);
  }
}
#endif

// `rows` of outputs. few: they are fewer than a tile wants.
template <size_t kPlanes>
HWY_INLINE void MultiplyStripOfPlanes(const TileArgs& t, size_t rows, bool few, size_t groups) {
  if (kPlanes == 1 || !few) return MultiplyStrip(t, rows * kPlanes, groups);
  MultiplyStrip(t, 1, groups);
  MultiplyStrip({t.a + t.a_stride, t.a_stride, t.w, t.w_step, t.quads, t.acc + kPanelChannels}, 1, groups);
}

template <size_t kPlanes>
static HWY_NOINLINE void MultiplyPanel(const MatmulArgs& args, const PanelRows& rows, const int8_t* panel, size_t n0) {
  constexpr size_t kRowSums = kPlanes * kPanelChannels;
  const size_t groups = PanelGroups(args.n, n0);
  size_t strip_rows = StripRows(groups) / kPlanes;
  HWY_ALIGN int32_t acc[kFinishRows * kRowSums];
  const Patches one_line = {rows.count, 0, rows.count, 0, 1, (args.k + 3) / 4 * 4, 0};
  const Patches& patches = rows.patches == nullptr ? one_line : *rows.patches;
  TileArgs t = {rows.a, rows.a_stride, panel, groups * 64, patches.run_bytes / 4, acc, patches.runs, patches.run_step};
#if LQ_NATIVE_DOT
  static_assert(codes::kMaxTallRows <= kFinishRows);
  const bool in_registers = FitsRegisters<kPlanes>(args, n0);
  if (kPlanes == 1 && in_registers) strip_rows = codes::StripRows(groups);
#endif
  const bool few = rows.count * kPlanes < tile::kMinRows;
  for (size_t line = 0, done = 0, waiting = 0; done + waiting < rows.count; ++line) {
    const Strips strips(std::min(patches.width, rows.count - done - waiting), few ? 1 : strip_rows);
    t.a = rows.a + line / patches.height * patches.image_step + line % patches.height * patches.line_step;
    for (size_t i = 0; i < strips.count(); ++i) {
      const size_t strip = strips.rows(i);
      t.acc = acc + waiting * kRowSums;
#if LQ_NATIVE_DOT
      if (in_registers) {
        MultiplyInRegisters<kPlanes>(t, FinishOf<kPlanes>(args, acc, Bytes::kRaw, {rows.first + done, strip, n0}));
        t.a += strip * kPlanes * rows.a_stride;
        done += strip;
        continue;
      }
#endif
      MultiplyStripOfPlanes<kPlanes>(t, strip, few, groups);
      t.a += strip * kPlanes * rows.a_stride;
      waiting += strip;
      if (done + waiting < rows.count && waiting + strip_rows <= kFinishRows) continue;
      FinishStrip<kPlanes>(args, acc, Bytes::kRaw, {rows.first + done, waiting, n0});
      done += waiting;
      waiting = 0;
    }
  }
}

// Rows of which the codes that are read and written stay in L1 for all panels of the call: what a panel writes of a
// cache line that it shares with another one is then there for that. All rows where few would fit.
inline size_t RowsInL1(const MatmulArgs& args, size_t rows) {
  constexpr size_t kBytes = 16384, kLeast = 56;
  const size_t fit = kBytes / (args.k + args.n) / kLeast * kLeast;
  return args.n_end - args.n_begin > kPanelChannels && args.patches == nullptr && fit > 0 ? fit : rows;
}

// All panels of the call.
template <size_t kPlanes>
static void MultiplyPanels(const MatmulArgs& args, const PanelRows& rows) {
  const int8_t* w = static_cast<const int8_t*>(args.w);
  const size_t step = kPlanes == 1 ? RowsInL1(args, rows.count) : rows.count;
  PanelRows part = rows;
  for (size_t row = 0; row < rows.count; row += step) {
    part.count = std::min(step, rows.count - row);
    for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
      MultiplyPanel<kPlanes>(args, part, w + PanelS8Offset(n0, args.k), n0);
    }
    part.a += part.count * part.a_stride;
    part.first += part.count;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_PANEL_INL_H_
