// Packed 4-bit codes times the integer scales of their blocks -> s8.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lpbq_expand.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/quantize-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace lpbq_expand {

using D8 = hn::CappedTag<uint8_t, 64>;
using D16 = hn::Repartition<int16_t, D8>;
using V16 = hn::Vec<D16>;

constexpr size_t kChunk = 128;  // elements whose scales wait in a buffer; even, at least two vectors

// One byte of codes in each lane -> the two products in the lane's bytes. 8-bit products are the low halves of 16-bit
// ones; the codes are extended by their sign in the upper half of the lane and in the whole lane.
HWY_INLINE V16 Products(V16 packed, V16 even_scale, V16 odd_scale) {
  const V16 even = hn::ShiftRight<12>(hn::ShiftLeft<12>(packed));
  const V16 odd = hn::ShiftRight<12>(hn::ShiftLeft<8>(packed));
  const V16 low = hn::And(hn::Mul(even, even_scale), hn::Set(D16(), 0xFF));
  return hn::Or(low, hn::ShiftLeft<8>(hn::Mul(odd, odd_scale)));
}

HWY_INLINE V16 LoadPacked(const uint8_t* p, size_t left) {
  const hn::Rebind<uint8_t, D16> narrow;
  return hn::PromoteTo(D16(), quantize::LoadUpTo(narrow, p, left));
}

HWY_INLINE void StoreProducts(V16 products, int8_t* p, size_t left) {
  const hn::Repartition<int8_t, D16> d8;
  quantize::StoreUpTo(hn::BitCast(d8, products), d8, p, left);
}

// `n` elements with one scale, from an even element on.
HWY_INLINE void Uniform(const uint8_t* in, int16_t scale, size_t n, int8_t* out) {
  const D16 d;
  const V16 scales = hn::Set(d, scale);
  for (size_t i = 0; i < n; i += hn::Lanes(D8())) {
    const size_t left = n - i;
    StoreProducts(Products(LoadPacked(in + i / 2, (left + 1) / 2), scales, scales), out + i, left);
  }
}

// Each element has its own scale; `scale` is readable as a whole chunk.
HWY_INLINE void Each(const uint8_t* in, const uint8_t* scale, size_t n, int8_t* out) {
  const D16 d;
  const hn::RebindToUnsigned<D16> du;
  for (size_t i = 0; i < n; i += hn::Lanes(D8())) {
    const size_t left = n - i;
    const auto pairs = hn::BitCast(du, hn::LoadU(D8(), scale + i));
    const V16 even = hn::BitCast(d, hn::And(pairs, hn::Set(du, 0xFF)));
    const V16 odd = hn::BitCast(d, hn::ShiftRight<8>(pairs));
    StoreProducts(Products(LoadPacked(in + i / 2, (left + 1) / 2), even, odd), out + i, left);
  }
}

// Blocks of any size.
HWY_INLINE void Spread(const LpbqExpandArgs& args) {
  uint8_t scale[kChunk] = {};
  const uint8_t* next = args.scale;
  size_t block_left = args.block;
  for (size_t begin = 0; begin < args.n; begin += kChunk) {
    const size_t count = std::min(kChunk, args.n - begin);
    for (size_t i = 0; i < count;) {
      const size_t run = std::min(block_left, count - i);
      std::fill_n(scale + i, run, *next);
      i += run;
      block_left -= run;
      if (block_left != 0) continue;
      block_left = args.block;
      ++next;
    }
    Each(args.in + begin / 2, scale, count, args.out + begin);
  }
}

// Even blocks, each by itself, from block `first` on.
HWY_INLINE void Blocks(const LpbqExpandArgs& args, size_t first) {
  for (size_t block = first; block * args.block < args.n; ++block) {
    const size_t begin = block * args.block;
    Uniform(args.in + begin / 2, args.scale[block], std::min(args.block, args.n - begin), args.out + begin);
  }
}

// Blocks of 16 or 32, of which a vector holds two or four: one shuffle spreads their scales over its lanes.
template <size_t kBlock>
HWY_INLINE void ShortBlocks(const LpbqExpandArgs& args) {
  const D8 d;
  const D16 d16;
  constexpr size_t kBlocks = hn::MaxLanes(D8()) / kBlock;
  alignas(64) uint8_t order[64];
  for (size_t i = 0; i < 64; ++i) order[i] = static_cast<uint8_t>(i / kBlock % kBlocks);
  const auto lanes_of_blocks = hn::Load(d, order);
  size_t block = 0;
  for (; (block + kBlocks) * kBlock <= args.n; block += kBlocks) {
    uint32_t scales = 0;  // bytes beyond kBlocks are not taken
    std::memcpy(&scales, args.scale + block, kBlocks);
    const auto spread =
        hn::TableLookupBytes(hn::BitCast(d, hn::Set(hn::Repartition<uint32_t, D8>(), scales)), lanes_of_blocks);
    // Blocks are even: both codes of a byte have the same scale.
    const V16 scale = hn::And(hn::BitCast(d16, spread), hn::Set(d16, 0xFF));
    const V16 packed = LoadPacked(args.in + block * kBlock / 2, hn::Lanes(d16));
    StoreProducts(Products(packed, scale, scale), args.out + block * kBlock, hn::Lanes(d));
  }
  Blocks(args, block);
}

void Expand(const LpbqExpandArgs& args) {
  constexpr size_t kLanes = hn::MaxLanes(D8());
#if HWY_TARGET <= HWY_AVX2
  if (args.block == 16) return ShortBlocks<16>(args);
  if (args.block == 32 && kLanes > 32) return ShortBlocks<32>(args);
#endif
  if (args.block % kLanes == 0) return Blocks(args, 0);
  Spread(args);
}

}  // namespace lpbq_expand

void LpbqExpand(const LpbqExpandArgs& args) {
  constexpr size_t kPart = 4096;  // elements: as many bytes as a chunk of floats
  if (!args.stream || kPart % args.block != 0) return lpbq_expand::Expand(args);
  alignas(64) int8_t part[kPart];
  for (size_t i = 0; i < args.n; i += kPart) {
    const size_t n = std::min(kPart, args.n - i);
    lpbq_expand::Expand({args.in + i / 2, args.scale + i / args.block, n, args.block, part});
    stream::Copy(part, args.out + i, n);
  }
  hwy::FlushStream();
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<LpbqExpandFn>> LpbqExpandVariants() {
  static const std::vector<Variant<LpbqExpandFn>> variants = Runnable<LpbqExpandFn>(LQ_VARIANTS(LpbqExpand));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
