// One s8 panel times all rows of A, finished: what matmul_u8s8 does for each of its panels, and matmul_u8s4 for a panel
// that it has unpacked.

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
#include "kernels/matmul_rows.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

// Outputs of rows row .. row + rows - 1 and the panel at channel n0, from kPanelChannels sums per row.
HWY_INLINE void FinishStrip(const MatmulArgs& args, const int32_t* acc, const int32_t* start, Block2d where) {
  const size_t index = where.row * args.out_stride + where.n0;
  const size_t element = SizeOf(args.out_type);
  FinishArgs finish;
  finish.acc = acc;
  finish.acc_stride = kPanelChannels;
  finish.rows = where.rows;
  finish.n0 = where.n0;
  finish.count = std::min(kPanelChannels, args.n_end - where.n0);
  finish.start = start;
  finish.epilogue = args.epilogue;
  finish.type = args.out_type;
  finish.out = static_cast<uint8_t*>(args.out) + index * element;
  finish.out_stride = args.out_stride;
  Finish(finish);
}

// Rows as the tiles read them: A itself, or its split quads.
struct PanelRows {
  const uint8_t* a;
  size_t a_stride;
  size_t first, count;  // rows of A
};

[[maybe_unused]] static HWY_NOINLINE void MultiplyPanel(const MatmulArgs& args, const PanelRows& rows,
                                                        const int8_t* panel, size_t n0) {
  const size_t groups = PanelGroups(args.n, n0);
  HWY_ALIGN int32_t acc[tile::kMaxRows * kPanelChannels];
  TileArgs t = {rows.a, rows.a_stride, panel, groups * 64, (args.k + 3) / 4, acc};
  const Strips strips(rows.count, rows.count < tile::kMinRows ? 1 : tile::kMaxRows);
  for (size_t i = 0, row = 0; i < strips.count(); ++i) {
    const size_t strip = strips.rows(i);
    t.a = rows.a + row * rows.a_stride;
    MultiplyStrip(t, strip, groups);
    FinishStrip(args, acc, args.epilogue->start_u8, {rows.first + row, strip, n0});
    row += strip;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_PANEL_INL_H_
