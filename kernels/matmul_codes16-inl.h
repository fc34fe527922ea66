// As matmul_codes-inl.h, of u16 codes whose accumulators fit int32: rows of a tile come in pairs, the dots of the high
// and of the low bytes of a row of codes. They are joined in registers, and one row of sums is stored instead of two.

#if defined(LANEQUANT_KERNELS_MATMUL_CODES16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_CODES16_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_CODES16_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_CODES16_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/contracts.h"
#include "kernels/epilogue_real-inl.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/packing.h"

#if LQ_NATIVE_DOT

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace codes16 {

constexpr size_t kVectors = 4;

// A whole panel of u16 codes.
inline bool Fits(const MatmulArgs& args, size_t n0) {
  return args.n_end - n0 >= kPanelChannels && args.out_type == OutputType::kU16 && args.epilogue->narrow &&
         args.row_terms == nullptr;
}

// What turns 16 channels of accumulators into fixed points.
struct Constants {
  Constants(const FinishArgs& args, size_t j)
      : start(hn::LoadU(tile::D(), args.start + args.n0 + 16 * j)),
        mul0(Load(args, args.epilogue->real_mul, 16 * j)),
        mul1(Load(args, args.epilogue->real_mul, 16 * j + 8)),
        add0(Load(args, args.epilogue->real_add, 16 * j)),
        add1(Load(args, args.epilogue->real_add, 16 * j + 8)) {}
  static HWY_INLINE epilogue::V64 Load(const FinishArgs& args, const double* values, size_t i) {
    return hn::LoadU(epilogue::D64(), values + args.n0 + i);
  }

  tile::V start;
  epilogue::V64 mul0, mul1, add0, add1;
};

// Of rows of sums that have been stored, too. Returns whether lanes are to be redone.
template <size_t kRows>
HWY_INLINE bool StoreCodes(const FinishArgs& args, const tile::V (&sums)[kRows][kVectors], uint16_t* HWY_RESTRICT out) {
  using epilogue::WideFixedPoint;
  const epilogue::D64 d64;
  const epilogue::D16Wide d16;
  const auto lo = hn::Set(d16, static_cast<uint16_t>(args.epilogue->to.lo));
  const auto hi = hn::Set(d16, static_cast<uint16_t>(args.epilogue->to.hi));
  const size_t out_stride = args.out_stride;
  auto lowest = hn::Set(d16, uint16_t{0xFFFF});
  LQ_UNROLL for (size_t j = 0; j < kVectors; j += 2) {
    const Constants c0(args, j), c1(args, j + 1);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      const auto acc0 = hn::Add(sums[r][j], c0.start), acc1 = hn::Add(sums[r][j + 1], c1.start);
      const auto u0 = WideFixedPoint(hn::PromoteLowerTo(d64, acc0), c0.mul0, c0.add0);
      const auto u1 = WideFixedPoint(hn::PromoteUpperTo(d64, acc0), c0.mul1, c0.add1);
      const auto u2 = WideFixedPoint(hn::PromoteLowerTo(d64, acc1), c1.mul0, c1.add0);
      const auto u3 = WideFixedPoint(hn::PromoteUpperTo(d64, acc1), c1.mul1, c1.add1);
      const auto codes = hn::Min(hn::Max(epilogue::PackWide(u0, u1, u2, u3, lowest), lo), hi);
      hn::StoreU(codes, d16, out + r * out_stride + 16 * j);
    }
  }
  return epilogue::NearWideTie(lowest);
}

// kRows of outputs. finish: its sums are what args.acc points to.
template <size_t kRows>
static HWY_NOINLINE bool Tile(const TileArgs& args, const FinishArgs& finish) {
  tile::V planes[2 * kRows][kVectors], sums[kRows][kVectors];
  tile::SetZero(planes);
  tile::AddProducts(args, planes);
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
      sums[r][j] = hn::Add(hn::ShiftLeft<8>(planes[2 * r][j]), planes[2 * r + 1][j]);
    }
  }
  tile::StoreSums(sums, args.acc);
  return StoreCodes(finish, sums, static_cast<uint16_t*>(finish.out));
}

template <size_t... kIndex>
HWY_INLINE bool CallTile(const TileArgs& t, const FinishArgs& finish, std::index_sequence<kIndex...>) {
  bool near = false;
  ((finish.rows == kIndex + 1 ? void(near = Tile<kIndex + 1>(t, finish)) : void()), ...);
  return near;
}

static HWY_INLINE void MultiplyStrip(const TileArgs& t, const FinishArgs& finish) {
  if (HWY_LIKELY(!CallTile(t, finish, std::make_index_sequence<tile::kMaxRows / 2>()))) return;
  for (size_t r = 0; r < finish.rows; ++r) {
    epilogue::RedoNearHalves(DotSums(finish, r), finish, static_cast<uint16_t*>(finish.out) + r * finish.out_stride);
  }
}

}  // namespace codes16
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LQ_NATIVE_DOT
#endif  // LANEQUANT_KERNELS_MATMUL_CODES16_INL_H_
