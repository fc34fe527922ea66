// Register tiles that finish in registers: the sums of up to 7 rows x 64 channels, or of 8 to 14 rows x 32, become u8
// codes where they are. Where a lane is near a tie they are read again: they are stored, too, or, of few quads, made
// once more. Stores then run beside the epilogue's arithmetic: layers of k = 256 take 5 % less time than with sums that
// are finished some strips later.

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
#include "kernels/matmul_rows.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/packing.h"

#if LQ_NATIVE_DOT

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace codes {

constexpr size_t kMaxTallRows = 2 * tile::kMaxRows;

// Stores of sums are what limits tiles of fewer quads than these.
constexpr size_t kFewQuads = 13;
inline bool StoresSums(const TileArgs& args) { return args.runs * args.quads >= kFewQuads; }

// A whole panel, or 17 to 32 channels, of codes that take the fast way of epilogue-inl.h.
inline bool Fits(const MatmulArgs& args, size_t n0) {
  const size_t left = args.n_end - n0;
  const bool fits = left >= kPanelChannels || (left > kGroupChannels && left <= 2 * kGroupChannels);
  return fits && args.out_type == OutputType::kU8 && args.epilogue->fast && args.row_terms == nullptr;
}

// What the sums of a tile begin with, so that it costs no addition.
template <size_t kRows, size_t kVectors>
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
template <size_t kRows, size_t kVectors>
HWY_INLINE void ToFixedPoint(const epilogue::FastWay& way, tile::V (&acc)[kRows][kVectors]) {
  const hn::RebindToFloat<tile::D> df;
  LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
    const auto mul = hn::LoadU(df, way.mul + 16 * j), add = hn::LoadU(df, way.add + 16 * j);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) acc[r][j] = epilogue::FixedPoint(acc[r][j], mul, add);
  }
}

// Fixed points of a tile, whose sums are stored where that costs less than making them again.
template <size_t kRows, size_t kVectors>
HWY_INLINE void MakeFixedPoints(const TileArgs& args, const epilogue::FastWay& way, tile::V (&acc)[kRows][kVectors]) {
  SetStart(way.start, acc);
  tile::AddProducts(args, acc);
  if (StoresSums(args)) tile::StoreSums(acc, args.acc);
  ToFixedPoint(way, acc);
}

// Rows are looked at in halves for near-ties; those of tall tiles, which are packed in pairs, in whole pairs.
constexpr size_t FirstHalf(size_t rows) { return rows > tile::kMaxRows ? rows / 4 * 2 : (rows + 1) / 2; }

// In which halves lanes are to be redone from the sums: bits 0 and 1. first, second: the lowest of their halves.
HWY_INLINE unsigned NearTies(tile::V first, tile::V second, int32_t window) {
  const tile::D d;
  const auto near = [&](tile::V lowest) HWY_ATTR { return !hn::AllFalse(d, epilogue::NearTie(lowest, window)); };
  if (HWY_LIKELY(!near(epilogue::MinHalves(first, second)))) return 0;
  return (near(first) ? 1u : 0u) | (near(second) ? 2u : 0u);
}

// Returns NearTies.
template <size_t kRows>
static HWY_NOINLINE unsigned Tile(const TileArgs& args, const epilogue::FastWay& fast_way, uint8_t* out,
                                  size_t out_stride) {
  const tile::D d;
  const epilogue::DU8 d8;
  const epilogue::FastWay way = fast_way;  // which no store can change
  tile::V acc[kRows][4];
  MakeFixedPoints(args, way, acc);
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
  return NearTies(first, second, way.window);
}

// Two rows of `count` codes, up to 32.
HWY_INLINE void StorePair(hn::Vec<epilogue::DU8> codes, size_t count, uint8_t* out, size_t out_stride) {
  const hn::Half<epilogue::DU8> half;
  if (HWY_UNLIKELY(count != 32)) return epilogue::StoreRows<2>(codes, count, out, out_stride);
  hn::StoreU(hn::LowerHalf(half, codes), half, out);
  hn::StoreU(hn::UpperHalf(half, codes), half, out + out_stride);
}

// The same for 17 to 32 channels.
template <size_t kRows>
static HWY_NOINLINE unsigned TallTile(const TileArgs& args, const epilogue::FastWay& fast_way,
                                      const FinishArgs& finish) {
  const tile::D d;
  const epilogue::DU8 d8;
  const epilogue::FastWay way = fast_way;
  uint8_t* const out = static_cast<uint8_t*>(finish.out);
  const size_t out_stride = finish.out_stride, count = finish.count;
  tile::V acc[kRows][2];
  MakeFixedPoints(args, way, acc);
  const auto lo = hn::Set(d8, way.lo), hi = hn::Set(d8, way.hi);
  auto first = hn::Set(d, -1), second = first;
  LQ_UNROLL for (size_t pair = 0; pair < kRows; pair += 2) {
    const size_t r = pair + 2 > kRows ? kRows - 2 : pair;  // of an odd number the last two once more
    auto& lowest = r < FirstHalf(kRows) ? first : second;
    lowest = epilogue::MinHalves(lowest, epilogue::MinHalves(epilogue::MinHalves(acc[r][0], acc[r][1]),
                                                             epilogue::MinHalves(acc[r + 1][0], acc[r + 1][1])));
    const auto codes = epilogue::PackCodes(acc[r][0], acc[r][1], acc[r + 1][0], acc[r + 1][1]);
    StorePair(hn::Min(hn::Max(codes, lo), hi), count, out + r * out_stride, out_stride);
  }
  return NearTies(first, second, way.window);
}

template <size_t... kIndex>
HWY_INLINE unsigned CallTile(const TileArgs& t, const epilogue::FastWay& way, const FinishArgs& finish,
                             std::index_sequence<kIndex...>) {
  uint8_t* const out = static_cast<uint8_t*>(finish.out);
  unsigned near = 0;
  if (finish.count > 32) {
    ((finish.rows == kIndex + 1 ? void(near = Tile<kIndex + 1>(t, way, out, finish.out_stride)) : void()), ...);
  } else {
    constexpr size_t kFirst = tile::kMaxRows + 1;
    ((finish.rows == kFirst + kIndex ? void(near = TallTile<kFirst + kIndex>(t, way, finish)) : void()), ...);
  }
  return near;
}

// Rows of a strip.
inline size_t StripRows(size_t groups) { return groups == 2 ? kMaxTallRows : tile::kMaxRows; }

// The sums of a strip.
static HWY_NOINLINE void MakeSums(TileArgs t, size_t rows, size_t groups) {
  const Strips strips(rows, tile::kMaxRows);
  for (size_t i = 0; i < strips.count(); ++i) {
    tile::CallStrip(t, strips.rows(i), groups, std::make_index_sequence<tile::kMaxRows>());
    t.a += strips.rows(i) * t.a_stride;
    t.acc += strips.rows(i) * kPanelChannels;
  }
}

// finish: of the strip's rows; its sums are what t.acc points to.
static HWY_INLINE void MultiplyStrip(const TileArgs& t, const FinishArgs& finish) {
  if (finish.count <= 32 && finish.rows <= tile::kMaxRows) {
    MakeSums(t, finish.rows, 2);
    return Finish(finish);
  }
  const epilogue::FastWay way(finish);
  const unsigned near = CallTile(t, way, finish, std::make_index_sequence<tile::kMaxRows>());
  if (HWY_LIKELY(near == 0)) return;
  const bool stored = StoresSums(t);
  if (!stored) MakeSums(t, finish.rows, finish.count > 32 ? 4 : 2);
  const epilogue::FastWay redo = stored ? epilogue::FastWay(finish, kStarted) : way;
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
