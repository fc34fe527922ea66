// Register tiles of u8 x s8 dot products over a packed panel: the inner loops of the s8 matrix products and of the
// s4 ones with many rows. A tile is kRows rows x kVectors vectors of channels over the whole of k; its sums go to a
// small buffer.
//
// Where the CPU multiplies u8 x s8 quads natively (AVX-512 VNNI; AVX-VNNI, see matmul_avx2_vnni-inl.h) a step is one
// instruction. Elsewhere quads are split into even and odd bytes, widened to 16 bits: pairs of products are exact in
// int32, and lanes keep their channels, so the same packing serves. The rows are split once (SplitQuads), the weights
// in the loop.

#if defined(LANEQUANT_KERNELS_MATMUL_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_TILE_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_TILE_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_TILE_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/packing.h"

// g++ 12 keeps old and new accumulators of a large tile alive and spills (0.2 to 0.45 of peak instead of 0.97) unless
// each new value is opaque to it. Costs no instruction.
#undef LQ_OPAQUE
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL
#define LQ_OPAQUE(v) asm("" : "+v"((v).raw))
#else
#define LQ_OPAQUE(v) (void)(v)
#endif
// The same for a pointer: what is loaded through it is not kept in registers from before.
#undef LQ_OPAQUE_POINTER
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL
#define LQ_OPAQUE_POINTER(p) asm("" : "+r"(p))
#else
#define LQ_OPAQUE_POINTER(p) (void)(p)
#endif
// Arrays of vectors live in registers only if every loop over them is unrolled.
#undef LQ_UNROLL
#define LQ_UNROLL HWY_UNROLL(16)

#undef LQ_NATIVE_DOT
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#define LQ_NATIVE_DOT 1
#else
#define LQ_NATIVE_DOT 0
#endif

// The files of AVX2_VNNI define LQ_VNNI_256 as the encoding (vex, evex) of the instruction that Highway's AVX2 lacks.
// What they make of this header has a name of its own.
#undef LQ_TILE_NAMESPACE
#undef LQ_NATIVE_DOT_256
#if defined(LQ_VNNI_256) && HWY_TARGET == HWY_AVX2
#define LQ_NATIVE_DOT_256 1
#define LQ_TILE_NAMESPACE LQ_VNNI_256
#define LQ_TEXT_OF(x) #x
#define LQ_TEXT(x) LQ_TEXT_OF(x)
#define LQ_VPDPBUSD "%{" LQ_TEXT(LQ_VNNI_256) "%} vpdpbusd"
#else
#define LQ_NATIVE_DOT_256 0
#define LQ_TILE_NAMESPACE of_target
#endif

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline namespace LQ_TILE_NAMESPACE {

// Channels of a tile's panel that stand together in memory: one row of 64 bytes per group and quad of k.
struct TileArgs {
  const uint8_t* a;  // rows as the tile wants them: codes, or split quads
  size_t a_stride;   // bytes
  const int8_t* w;   // first channel of the tile
  size_t w_step;     // bytes from quad to quad
  size_t quads;      // of a run
  int32_t* acc;      // kPanelChannels per row
  // A row is so many runs of quads, each so many bytes after the one before.
  size_t runs = 1, run_step = 0;
};

namespace tile {

#if !HWY_HAVE_SCALABLE
using D = hn::CappedTag<int32_t, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr size_t kGroupVectors = kGroupChannels / kLanes;

HWY_INLINE V Broadcast(const uint8_t* p) {
  int32_t bytes;
  std::memcpy(&bytes, p, 4);
  return hn::Set(D(), bytes);
}
#endif

#if HWY_HAVE_SCALABLE
// No arrays of vectors there: plain loops over one group.
constexpr size_t kMaxRows = 2, kMinRows = 1;
constexpr size_t kQuadBytes = 4;
#elif LQ_NATIVE_DOT || LQ_NATIVE_DOT_256
#if LQ_NATIVE_DOT
// 28 accumulators, 2 weights, broadcasts. The width of images is often a multiple of 7, and a panel is read from L2
// once for 7 rows.
constexpr size_t kMaxRows = 7;
constexpr size_t kMinRows = 1;
constexpr size_t kFewVectors = 4, kManyVectors = 4;
// A single group of channels has room for more: half of the calls.
constexpr size_t kTallRows = 14;
#else
constexpr size_t kMaxRows = 6;  // 12 accumulators, 2 weights, a broadcast
constexpr size_t kMinRows = 4;  // as below
constexpr size_t kFewVectors = 8, kManyVectors = 2;
#endif
constexpr size_t kQuadBytes = 4;  // of a row of A

struct Weights {
  hn::Vec<hn::Repartition<int8_t, D> > quads;
};
HWY_INLINE Weights LoadWeights(const int8_t* w) {
  Weights weights = {hn::LoadU(hn::Repartition<int8_t, D>(), w)};
  // Else g++ 12 loads them again for each row: bound by loads at 0.7 of the peak with 3 or 4 rows, instead of 0.9.
  LQ_OPAQUE(weights.quads);
  return weights;
}

struct Quad {
  hn::Vec<hn::Repartition<uint8_t, D> > quad;
};
HWY_INLINE Quad LoadQuad(const uint8_t* a) { return {hn::BitCast(hn::Repartition<uint8_t, D>(), Broadcast(a))}; }

HWY_INLINE V Dot(const Quad& a, const Weights& w, V acc) {
#if LQ_NATIVE_DOT
  acc = hn::SumOfMulQuadAccumulate(D(), a.quad, w.quads, acc);
  LQ_OPAQUE(acc);
#else
  asm(LQ_VPDPBUSD " %2, %1, %0" : "+x"(acc.raw) : "x"(a.quad.raw), "x"(w.quads.raw));
#endif
  return acc;
}
#else
// Registers: 32 with AVX-512 (24 accumulators would leave too few), 16 with AVX2 and SSE.
constexpr size_t kMaxRows = kLanes == 16 ? 6 : kLanes == 8 ? 4 : 2;
constexpr size_t kQuadBytes = 8;
constexpr size_t kFewVectors = kLanes == 16 ? 4 : 8;  // one row
constexpr size_t kManyVectors = kLanes == 4 ? 4 : 2;
// Tiles narrower than the panel read 64 of every 256 bytes, which the hardware's prefetcher does not foresee: fewer
// rows than this are faster one at a time, over the whole width (2 rows of k = 4096: 0.8 instead of 1.9 ms).
constexpr size_t kMinRows = kLanes == 8 ? 4 : 1;

using D16 = hn::Repartition<int16_t, D>;
struct Weights {
  // g++ 12 would give the constructor that it makes itself not the target's attributes (NEON).
  HWY_INLINE Weights() {}
  HWY_INLINE Weights(hn::Vec<D16> e, hn::Vec<D16> o) : even(e), odd(o) {}
  hn::Vec<D16> even, odd;
};
HWY_INLINE Weights LoadWeights(const int8_t* w) {
  const D16 d16;
  const auto quads = hn::BitCast(d16, hn::LoadU(hn::Repartition<int8_t, D>(), w));
  return {hn::ShiftRight<8>(hn::ShiftLeft<8>(quads)), hn::ShiftRight<8>(quads)};
}

struct Quad {
  hn::Vec<D16> even, odd;
};
HWY_INLINE Quad LoadQuad(const uint8_t* a) {
  const D16 d16;
  return {hn::BitCast(d16, Broadcast(a)), hn::BitCast(d16, Broadcast(a + 4))};
}

HWY_INLINE V Dot(const Quad& a, const Weights& w, V acc) {
  const D d;
  acc = hn::Add(acc, hn::WidenMulPairwiseAdd(d, a.even, w.even));
  LQ_OPAQUE(acc);
  acc = hn::Add(acc, hn::WidenMulPairwiseAdd(d, a.odd, w.odd));
  LQ_OPAQUE(acc);
  return acc;
}
#endif

#if HWY_HAVE_SCALABLE
template <size_t kRows>
static void Strip(const TileArgs& t, size_t groups) {
  for (size_t r = 0; r < kRows; ++r) {
    int32_t* acc = t.acc + r * kPanelChannels;
    std::memset(acc, 0, groups * kGroupChannels * sizeof(int32_t));
    for (size_t q = 0; q < t.runs * t.quads; ++q) {
      const uint8_t* quad = t.a + r * t.a_stride + q / t.quads * t.run_step + q % t.quads * 4;
      for (size_t i = 0; i < groups * kGroupChannels * 4; ++i) {
        acc[i / 4] += int32_t{quad[i % 4]} * t.w[q * t.w_step + i];
      }
    }
  }
}
#else

template <size_t kRows, size_t kVectors>
HWY_INLINE void Step(const uint8_t* a, size_t a_stride, const int8_t* w, V (&acc)[kRows][kVectors]) {
  // Fewer rows are bound by memory, where the hardware does better alone: prefetching costs 10 to 30 %.
  if (kRows > 2) {
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) hwy::Prefetch(w + 2048 + j * 4 * kLanes);
  }
  // Of 32 registers, 28 accumulators leave two for weights: each row's quad is then broadcast for every two.
  constexpr size_t kHeld = kRows * kVectors > 24 ? 2 : kVectors;
  LQ_UNROLL for (size_t first = 0; first < kVectors; first += kHeld) {
    Weights weights[kHeld];
    LQ_UNROLL for (size_t j = 0; j < kHeld; ++j) weights[j] = LoadWeights(w + (first + j) * 4 * kLanes);
    const uint8_t* upper = a;
    if (kRows > kMaxRows) {  // else g++ 12 takes a register for each multiple of the stride
      upper += kMaxRows * a_stride;
      LQ_OPAQUE_POINTER(upper);
    }
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      const Quad quad = LoadQuad(r < kMaxRows ? a + r * a_stride : upper + (r - kMaxRows) * a_stride);
      LQ_UNROLL for (size_t j = 0; j < kHeld; ++j) acc[r][first + j] = Dot(quad, weights[j], acc[r][first + j]);
    }
    if (first + kHeld < kVectors) LQ_OPAQUE_POINTER(a);
  }
}

template <size_t kRows, size_t kVectors>
HWY_INLINE void SetZero(V (&acc)[kRows][kVectors]) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) {
      acc[r][j] = hn::Zero(D());
      LQ_OPAQUE(acc[r][j]);
    }
  }
}

// acc += the sums of a tile.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddProducts(const TileArgs& t, V (&acc)[kRows][kVectors]) {
  const uint8_t* HWY_RESTRICT a = t.a;
  const int8_t* HWY_RESTRICT w = t.w;
  const size_t a_stride = t.a_stride, w_step = t.w_step;
  const size_t quads = t.quads;
  const auto to_next_run = static_cast<ptrdiff_t>(t.run_step) - static_cast<ptrdiff_t>(quads * kQuadBytes);
  for (size_t run = t.runs; run != 0; --run, a += to_next_run) {
    size_t q = quads;
    if constexpr (LQ_NATIVE_DOT && kRows == 1) {
      // One row has too few chains of dependent instructions: two quads at a time.
      V second[kRows][kVectors];
      SetZero(second);
      for (; q >= 2; q -= 2, a += 2 * kQuadBytes, w += 2 * w_step) {
        Step(a, a_stride, w, acc);
        Step(a + kQuadBytes, a_stride, w + w_step, second);
      }
      LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) acc[0][j] = hn::Add(acc[0][j], second[0][j]);
    }
    for (; q != 0; --q, a += kQuadBytes, w += w_step) Step(a, a_stride, w, acc);
  }
}

template <size_t kRows, size_t kVectors>
HWY_INLINE void StoreSums(const V (&acc)[kRows][kVectors], int32_t* HWY_RESTRICT sums) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t j = 0; j < kVectors; ++j) hn::StoreU(acc[r][j], D(), sums + r * kPanelChannels + j * kLanes);
  }
}

template <size_t kRows, size_t kVectors>
static HWY_NOINLINE void Tile(const TileArgs& t) {
  int32_t* const sums = t.acc;
  V acc[kRows][kVectors];
  SetZero(acc);
  AddProducts(t, acc);
  StoreSums(acc, sums);
}

template <size_t kRows, size_t kVectors>
static HWY_NOINLINE void StripByTiles(TileArgs t, size_t groups) {
  size_t vectors = groups * kGroupVectors;
  for (; vectors >= kVectors; vectors -= kVectors, t.w += kVectors * kLanes * 4, t.acc += kVectors * kLanes) {
    Tile<kRows, kVectors>(t);
  }
  if constexpr (LQ_NATIVE_DOT) {
    for (; vectors >= 2; vectors -= 2, t.w += 2 * kLanes * 4, t.acc += 2 * kLanes) Tile<kRows, 2>(t);
  }
  if constexpr (kVectors != kGroupVectors) {
    for (; vectors != 0; vectors -= kGroupVectors, t.w += kGroupChannels * 4, t.acc += kGroupChannels) {
      Tile<kRows, kGroupVectors>(t);
    }
  }
}

// kRows rows x all groups of a panel. Where that is one tile nothing is copied: reading back what has just been stored
// in smaller pieces would wait for the tile before.
template <size_t kRows>
HWY_INLINE void Strip(const TileArgs& t, size_t groups) {
  constexpr size_t kVectors = kRows == 1 ? kFewVectors : kManyVectors;
  if (kVectors == groups * kGroupVectors) return Tile<kRows, kVectors>(t);
  StripByTiles<kRows, kVectors>(t, groups);
}
#endif

template <size_t... kIndex>
HWY_INLINE void CallStrip(const TileArgs& args, size_t rows, size_t groups, std::index_sequence<kIndex...>) {
  ((rows == kIndex + 1 ? Strip<kIndex + 1>(args, groups) : void()), ...);
}

#if LQ_NATIVE_DOT
template <size_t... kIndex>
HWY_INLINE void CallTall(const TileArgs& args, size_t rows, std::index_sequence<kIndex...>) {
  ((rows == kMaxRows + 1 + kIndex ? Tile<kMaxRows + 1 + kIndex, 1>(args) : void()), ...);
}
#endif

}  // namespace tile

// Rows of a strip of a panel of `groups`.
HWY_INLINE size_t StripRows(size_t groups) {
#if LQ_NATIVE_DOT
  if (groups == 1) return tile::kTallRows;
#endif
  (void)groups;
  return tile::kMaxRows;
}

// Dot products of 1 .. StripRows(groups) rows with all groups of a panel.
HWY_INLINE void MultiplyStrip(const TileArgs& args, size_t rows, size_t groups) {
#if LQ_NATIVE_DOT
  if (rows > tile::kMaxRows) {
    return tile::CallTall(args, rows, std::make_index_sequence<tile::kTallRows - tile::kMaxRows>());
  }
#endif
  tile::CallStrip(args, rows, groups, std::make_index_sequence<tile::kMaxRows>());
}

}  // namespace LQ_TILE_NAMESPACE
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_TILE_INL_H_
