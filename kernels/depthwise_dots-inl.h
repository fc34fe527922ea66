// From interleaved columns to outputs: the dots of two vectors of pixels in one output row or two, and the fast way to
// codes (epilogue-inl.h) without leaving registers.

#ifndef LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_ARGS_
#define LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_ARGS_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/packing.h"

namespace lq::kernels {

// 64 lanes of a layer and their constants in the order of the quads: lane 16 b + 4 v + i stands at [v][4 b + i].
struct DepthwiseChunk {
  DepthwiseChunk(const DepthwiseU8S8Args& args, const PackedDepthwiseS8& layout, size_t index)
      : w(args.w + index * layout.ChunkBytes()), first(layout.FirstChannel(index)) {
    const Epilogue& e = *args.epilogue;
    Arrange(e.start_u8, layout, start);
    if (!e.fast) return;
    Arrange(e.fast_mul, layout, mul);
    Arrange(e.fast_add, layout, add);
  }

  const int8_t* w;
  size_t first;  // channel of lane 0
  alignas(64) int32_t start[4][16];
  alignas(64) float mul[4][16], add[4][16];

 private:
  template <class T>
  void Arrange(const T* values, const PackedDepthwiseS8& layout, T (&out)[4][16]) const {
    for (size_t lane = 0; lane < 64; lane += 4) {
      const size_t channel = first + (layout.pixels() == 1 ? lane : lane % layout.channels);
      std::memcpy(&out[lane / 4 % 4][lane / 16 * 4], values + channel, 4 * sizeof(T));
    }
  }
};

// The taps of a window: where their quads are, from the quads of its first column on.
struct DepthwiseTaps {
  size_t quads, columns;
  size_t quad_step, column_step;
  size_t second;  // from the first of two vectors of pixels to the second
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_ARGS_

#if defined(LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_H_
#undef LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_H_
#else
#define LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/depthwise_columns-inl.h"
#include "kernels/epilogue-inl.h"

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

// Arrays of vectors live in registers only if every loop over them is unrolled.
#undef LQ_UNROLL
#define LQ_UNROLL HWY_UNROLL(4)
// g++ 12 copies every accumulator twice in each step of a loop unless its new value is opaque. Costs no instruction.
#undef LQ_OPAQUE
#if HWY_COMPILER_GCC_ACTUAL
#define LQ_OPAQUE(v) asm("" : "+v"((v).raw))
#else
#define LQ_OPAQUE(v) (void)(v)
#endif

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace depthwise_u8s8 {

using D32 = hn::FixedTag<int32_t, 16>;
using V32 = hn::Vec<D32>;
using DF32 = hn::FixedTag<float, 16>;
using VF32 = hn::Vec<DF32>;
using DS8 = hn::FixedTag<int8_t, 64>;

constexpr size_t kVectors = 2;  // of pixels at a time

// Of kRows output rows and kVectors vectors of pixels: 64 lanes each.
template <size_t kRows>
struct Sums {
  V32 acc[kRows][kVectors][4];
};

HWY_INLINE V32 Dot(V8 codes, hn::Vec<DS8> weights, V32 acc) {
  acc = hn::SumOfMulQuadAccumulate(D32(), codes, weights, acc);
  LQ_OPAQUE(acc);
  return acc;
}

// One quad of one column: both vectors of pixels, all rows.
template <size_t kRows, bool kShared>
HWY_INLINE void AccumulateQuad(const uint8_t* p, size_t second, const int8_t* w, Sums<kRows>& sums) {
  constexpr size_t kStep = Columns<kShared>::kVectorStep;
  const D8 d8;
  LQ_UNROLL for (size_t j = 0; j < 4; ++j) {
    const auto a0 = hn::LoadU(d8, p + j * kStep), a1 = hn::LoadU(d8, p + second + j * kStep);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      auto weights = hn::LoadU(DS8(), w + (j * kRows + r) * 64);
      LQ_OPAQUE(weights);  // g++ would load it anew for each product
      sums.acc[r][0][j] = Dot(a0, weights, sums.acc[r][0][j]);
      sums.acc[r][1][j] = Dot(a1, weights, sums.acc[r][1][j]);
    }
  }
}

// kThree: three columns of one quad with stride 1, the most common filter. Neighbours share two of their columns then,
// and loads are what limits the dots.
template <size_t kRows, bool kShared, bool kThree>
HWY_INLINE void Accumulate(const DepthwiseTaps& taps, const int8_t* HWY_RESTRICT w, const uint8_t* HWY_RESTRICT at,
                           Sums<kRows>& sums) {
  constexpr size_t kBytes = 4 * kRows * 64;
  if constexpr (kThree) {
    const size_t step = kShared ? taps.column_step : 256;
    LQ_UNROLL for (size_t x = 0; x < 3; ++x) {
      AccumulateQuad<kRows, kShared>(at + x * step, kShared ? 64 : 256, w + x * kBytes, sums);
    }
    return;
  }
  for (size_t q = 0; q < taps.quads; ++q, at += taps.quad_step) {
    const uint8_t* HWY_RESTRICT p = at;
    for (size_t x = 0; x < taps.columns; ++x, p += taps.column_step, w += kBytes) {
      AccumulateQuad<kRows, kShared>(p, taps.second, w, sums);
    }
  }
}

// The high halves of four vectors of a quad, saturated to u8, in the order of the lanes.
HWY_INLINE V8 PackLanes(const V32 (&u)[4]) {
  const D8 d8;
  const hn::Repartition<int16_t, D8> d16;
  const auto high = hn::Set(D32(), static_cast<int32_t>(0xFFFF0000));
  const auto a = hn::BitCast(d16, hn::IfVecThenElse(high, u[1], hn::ShiftRight<16>(u[0])));
  const auto b = hn::BitCast(d16, hn::IfVecThenElse(high, u[3], hn::ShiftRight<16>(u[2])));
  const auto order = hn::Dup128VecFromValues(d8, 0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  return hn::TableLookupBytes(hn::ReorderDemote2To(d8, a, b), order);
}

template <size_t kRows>
struct Codes {
  V8 codes[kRows][kVectors];
  V32 lowest[kRows][kVectors];  // in its low halves: which lanes are to be redone
};

HWY_INLINE hn::Mask<D32> NearTie(V32 lowest, V32 near_tie) {
  return hn::Lt(hn::And(lowest, hn::Set(D32(), 0xFFFF)), near_tie);
}

template <size_t kRows>
HWY_INLINE void ToCodes(const DepthwiseChunk& chunk, V8 lo, V8 hi, Sums<kRows>& sums, Codes<kRows>& out) {
  LQ_UNROLL for (size_t j = 0; j < 4; ++j) {
    VF32 mul = hn::Load(DF32(), chunk.mul[j]), add = hn::Load(DF32(), chunk.add[j]);
    LQ_OPAQUE(mul);
    LQ_OPAQUE(add);
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      LQ_UNROLL for (size_t n = 0; n < kVectors; ++n) {
        sums.acc[r][n][j] = epilogue::FixedPoint(sums.acc[r][n][j], mul, add);
      }
    }
  }
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t n = 0; n < kVectors; ++n) {
      const auto& u = sums.acc[r][n];
      out.codes[r][n] = hn::Min(hn::Max(PackLanes(u), lo), hi);
      out.lowest[r][n] = epilogue::MinHalves(epilogue::MinHalves(u[0], u[1]), epilogue::MinHalves(u[2], u[3]));
    }
  }
}

}  // namespace depthwise_u8s8

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // native 8-bit dot

#endif  // LANEQUANT_KERNELS_DEPTHWISE_DOTS_INL_H_
