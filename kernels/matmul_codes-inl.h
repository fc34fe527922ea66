// Register tiles that finish in registers: the sums of up to 7 rows x 64 channels become u8 codes where they are. They
// are stored, too, but read again only where a lane is near a tie. Stores then run beside the epilogue's arithmetic:
// layers of k = 256 take 5 % less time than with sums that are finished some strips later.

#if defined(LANEQUANT_KERNELS_MATMUL_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_CODES_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_CODES_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/contracts.h"
#include "kernels/epilogue-inl.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/packing.h"

#if LQ_NATIVE_DOT

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace codes {

constexpr size_t kVectors = 4;

// A whole panel of codes that take the fast way of epilogue-inl.h.
inline bool Fits(const MatmulArgs& args, size_t n0) {
  return args.n_end - n0 >= kPanelChannels && args.out_type == OutputType::kU8 && args.epilogue->fast &&
         args.row_terms == nullptr;
}

// What the sums of a tile begin with, so that it costs no addition.
template <size_t kRows>
HWY_INLINE void SetStart(const int32_t* start, tile::V (&acc)[kRows][kVectors]) {
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      acc[r][j] = hn::LoadU(tile::D(), start + 16 * j);
      LQ_OPAQUE(acc[r][j]);
    }
  }
}
constexpr int32_t kStarted[kPanelChannels] = {};  // what such sums still lack

// The fixed point of the accumulators, in their place.
template <size_t kRows>
HWY_INLINE void ToFixedPoint(const epilogue::FastWay& way, tile::V (&acc)[kRows][kVectors]) {
  const hn::RebindToFloat<tile::D> df;
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    const auto mul = hn::LoadU(df, way.mul + 16 * j), add = hn::LoadU(df, way.add + 16 * j);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) acc[r][j] = epilogue::FixedPoint(acc[r][j], mul, add);
  }
}

// Rows are looked at in halves for near-ties.
constexpr size_t FirstHalf(size_t rows) { return (rows + 1) / 2; }

// Returns in which halves lanes are to be redone from the sums: bits 0 and 1.
template <size_t kRows>
static HWY_NOINLINE unsigned Tile(const TileArgs& args, const epilogue::FastWay& fast_way, uint8_t* out,
                                  size_t out_stride) {
  const tile::D d;
  const epilogue::DU8 d8;
  const epilogue::FastWay way = fast_way;  // which no store can change
  tile::V acc[kRows][kVectors];
  SetStart(way.start, acc);
  tile::AddProducts(args, acc);
  tile::StoreSums(acc, args.acc);
  ToFixedPoint(way, acc);
  const auto lo = hn::Set(d8, way.lo), hi = hn::Set(d8, way.hi);
  auto first = hn::Set(d, -1), second = first;
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r, out += out_stride) {
    const auto pairs =
        epilogue::MinHalves(epilogue::MinHalves(acc[r][0], acc[r][1]), epilogue::MinHalves(acc[r][2], acc[r][3]));
    auto& lowest = r < FirstHalf(kRows) ? first : second;
    lowest = epilogue::MinHalves(lowest, pairs);
    const auto codes = epilogue::PackCodes(acc[r][0], acc[r][1], acc[r][2], acc[r][3]);
    hn::StoreU(hn::Min(hn::Max(codes, lo), hi), d8, out);
  }
  const auto near = [&](tile::V lowest) HWY_ATTR { return !hn::AllFalse(d, epilogue::NearTie(lowest, way.window)); };
  if (HWY_LIKELY(!near(epilogue::MinHalves(first, second)))) return 0;
  return (near(first) ? 1u : 0u) | (near(second) ? 2u : 0u);
}

template <size_t... kIndex>
HWY_INLINE unsigned CallTile(const TileArgs& t, size_t rows, const epilogue::FastWay& way, const FinishArgs& finish,
                             std::index_sequence<kIndex...>) {
  unsigned near = 0;
  ((rows == kIndex + 1 ? void(near = Tile<kIndex + 1>(t, way, static_cast<uint8_t*>(finish.out), finish.out_stride))
                       : void()),
   ...);
  return near;
}

// finish: of the strip's rows; its sums are what t.acc points to.
static HWY_INLINE void MultiplyStrip(const TileArgs& t, const FinishArgs& finish) {
  const epilogue::FastWay way(finish);
  const unsigned near = CallTile(t, finish.rows, way, finish, std::make_index_sequence<tile::kMaxRows>());
  if (HWY_LIKELY(near == 0)) return;
  const epilogue::FastWay redo(finish, kStarted);
  for (size_t r = 0; r < finish.rows; ++r) {
    if ((near & (r < FirstHalf(finish.rows) ? 1u : 2u)) == 0) continue;
    epilogue::RedoNearTies(t.acc + r * kPanelChannels, redo, finish,
                           static_cast<uint8_t*>(finish.out) + r * finish.out_stride);
  }
}

}  // namespace codes
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LQ_NATIVE_DOT
#endif  // LANEQUANT_KERNELS_MATMUL_CODES_INL_H_
