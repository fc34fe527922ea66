// Packed 4-bit codes times the integer scales of their blocks -> s8.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lpbq_expand.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>

#include "kernels/contracts.h"
#include "kernels/quantize-inl.h"
#include "kernels/stream_lines-inl.h"

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

// Row s: the 8-bit products of s and the codes 0..7, -8..-1.
constexpr std::array<std::array<uint8_t, 16>, 256> MakeProducts() {
  std::array<std::array<uint8_t, 16>, 256> products{};
  for (size_t s = 0; s < 256; ++s) {
    for (size_t code = 0; code < 16; ++code)
      products[s][code] = static_cast<uint8_t>((code < 8 ? code : code + 240) * s);
  }
  return products;
}
alignas(64) constexpr std::array<std::array<uint8_t, 16>, 256> kProducts = MakeProducts();

// The two codes of a byte in the bytes of a lane.
HWY_INLINE hn::Vec<D8> LoadCodes(const uint8_t* p, size_t left) {
  const D16 d;
  const V16 packed = LoadPacked(p, left);
  return hn::BitCast(D8(), hn::And(hn::Or(packed, hn::ShiftLeft<4>(packed)), hn::Set(d, 0x0F0F)));
}

// The rows of products of a vector's elements, kBlocks blocks with the scales from `scale` on.
template <size_t kBlocks>
HWY_INLINE hn::Vec<D8> Rows(const uint8_t* scale) {
  const D8 d;
  const auto row = [&](size_t i) HWY_ATTR { return hn::LoadDup128(d, kProducts[scale[i]].data()); };
  if constexpr (kBlocks == 1) return row(0);
  if constexpr (kBlocks == 2) return hn::ConcatLowerLower(d, row(1), row(0));
  if constexpr (kBlocks == 4) {
    return hn::ConcatLowerLower(d, hn::OddEvenBlocks(row(3), row(2)), hn::OddEvenBlocks(row(1), row(0)));
  }
}

// A shuffle looks the products up. kStream: `out` is aligned to whole lines, and whole vectors go around the caches,
// from where they are computed: this kernel is so fast that a copy on the way would cost a quarter.
template <bool kStream>
HWY_INLINE void LookUp(const uint8_t* in, hn::Vec<D8> rows, int8_t* out, size_t left) {
  const D8 d;
  const auto products = hn::TableLookupBytes(rows, LoadCodes(in, (left + 1) / 2));
  if (kStream && left >= hn::Lanes(d)) {
    hn::Stream(products, d, reinterpret_cast<uint8_t*>(out));
  } else {
    StoreProducts(hn::BitCast(D16(), products), out, left);
  }
}

// Blocks of whole vectors, from block `first` on.
template <bool kStream>
HWY_INLINE void LongBlocks(const LpbqExpandArgs& args, size_t first) {
  for (size_t block = first; block * args.block < args.n; ++block) {
    const size_t begin = block * args.block, end = std::min(begin + args.block, args.n);
    const auto rows = Rows<1>(args.scale + block);
    for (size_t i = begin; i < end; i += hn::Lanes(D8())) {
      LookUp<kStream>(args.in + i / 2, rows, args.out + i, end - i);
    }
  }
}

// Vectors of kBlocks blocks each.
template <bool kStream, size_t kBlocks>
HWY_INLINE void ShortBlocks(const LpbqExpandArgs& args) {
  const size_t lanes = hn::Lanes(D8()), vectors = args.n / lanes;
  for (size_t i = 0; i < vectors; ++i) {
    LookUp<kStream>(args.in + i * lanes / 2, Rows<kBlocks>(args.scale + i * kBlocks), args.out + i * lanes, lanes);
  }
  LongBlocks<kStream>(args, vectors * kBlocks);
}

template <bool kStream>
void Expand(const LpbqExpandArgs& shared_args) {
  const LpbqExpandArgs args = shared_args;    // stores of bytes cannot change it
#if !HWY_ARCH_X86 || HWY_TARGET <= HWY_SSSE3  // SSE2 has no shuffle of bytes
  constexpr size_t kLanes = hn::MaxLanes(D8());
  if (args.block == hn::Lanes(D8())) return ShortBlocks<kStream, 1>(args);
  if (args.block % kLanes == 0) return LongBlocks<kStream>(args, 0);
  if constexpr (HWY_HAVE_SCALABLE == 0 && kLanes >= 32) {
    if (args.block == kLanes / 2) return ShortBlocks<kStream, 2>(args);
    if constexpr (kLanes == 64) {
      if (args.block == kLanes / 4) return ShortBlocks<kStream, 4>(args);
    }
  }
#endif
  Spread(args);
}

}  // namespace lpbq_expand

void LpbqExpand(const LpbqExpandArgs& args) {
  constexpr size_t kPart = 1024;  // elements
  if (!args.stream) return lpbq_expand::Expand<false>(args);
  if (stream::IsAligned(args.out)) {
    lpbq_expand::Expand<true>(args);
    return hwy::FlushStream();
  }
  if (kPart % args.block != 0) return lpbq_expand::Expand<false>(args);
  stream::Lines lines(args.out);
  for (size_t i = 0; i < args.n; i += kPart) {
    const size_t n = std::min(kPart, args.n - i);
    lpbq_expand::Expand<false>(
        {args.in + i / 2, args.scale + i / args.block, n, args.block, static_cast<int8_t*>(lines.next())});
    lines.Push(n);
  }
  lines.Finish();
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
