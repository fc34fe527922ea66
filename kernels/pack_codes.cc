// A panel of s8 weights from codes in memory: four vectors of 16 bytes are interleaved twice, whichever way they lie.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pack_codes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "kernels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace pack_codes {

using transpose::D8;
using transpose::kBytes;

HWY_INLINE uint8_t Flip(const PackCodesArgs& args) { return args.flip ? 0x80 : 0; }

// Four rows of 16 bytes.
struct Rows {
  const uint8_t* in;
  size_t stride;
};

// Stores the rows interleaved (transpose-inl.h), vector i at out + i * step, i < count <= 4: of bytes, four channels of
// rows that are k; of 32 bits, k quad i of rows that are channels.
template <class T, class Wide>
HWY_INLINE void Interleave(const Rows& rows, uint8_t flip, uint8_t* out, size_t step, size_t count) {
  const D8 d8;
  const auto flips = hn::Set(d8, flip);
  auto v0 = hn::Xor(hn::LoadU(d8, rows.in), flips);
  auto v1 = hn::Xor(hn::LoadU(d8, rows.in + rows.stride), flips);
  auto v2 = hn::Xor(hn::LoadU(d8, rows.in + 2 * rows.stride), flips);
  auto v3 = hn::Xor(hn::LoadU(d8, rows.in + 3 * rows.stride), flips);
  transpose::Interleave<T, Wide>(v0, v1, v2, v3);
  hn::StoreU(v0, d8, out);
  if (count > 1) hn::StoreU(v1, d8, out + step);
  if (count > 2) hn::StoreU(v2, d8, out + 2 * step);
  if (count > 3) hn::StoreU(v3, d8, out + 3 * step);
}

// Rows from byte (row, column) on of so many, in memory, or where they are fewer or shorter in `edge`: what is missing
// is a weight of 0.
HWY_INLINE Rows RowsAt(const PackCodesArgs& args, size_t row, size_t rows, size_t column, size_t columns,
                       uint8_t* edge) {
  const uint8_t* in = args.in + row * args.stride + column;
  if (row + 4 <= rows && column + kBytes <= columns) return {in, args.stride};
  std::memset(edge, Flip(args), 4 * kBytes);
  for (size_t i = 0; i < std::min<size_t>(4, rows - row); ++i) {
    std::memcpy(edge + i * kBytes, in + i * args.stride, std::min(kBytes, columns - column));
  }
  return {edge, kBytes};
}

// Rows are k: a row of the packed group is four rows here.
HWY_INLINE void PackChannelColumns(const PackCodesArgs& args, size_t groups, uint8_t* out) {
  HWY_ALIGN uint8_t edge[4 * kBytes];
  for (size_t k = 0; k < args.k; k += 4) {
    for (size_t g = 0; g < groups; ++g, out += 64) {
      const Rows rows = RowsAt(args, k, args.k, g * kBytes, args.n, edge);
      Interleave<uint8_t, uint16_t>(rows, Flip(args), out, kBytes, 4);
    }
  }
}

// Rows are channels: four of them by four quads of k.
HWY_INLINE void PackChannelRows(const PackCodesArgs& args, size_t groups, uint8_t* out) {
  HWY_ALIGN uint8_t edge[4 * kBytes];
  const size_t quads = (args.k + 3) / 4, step = groups * 64;
  for (size_t c = 0; c < groups * kGroupChannels; c += 4) {
    uint8_t* to = out + c * 4;
    if (c >= args.n) {
      for (size_t q = 0; q < quads; ++q) std::memset(to + q * step, 0, kBytes);
      continue;
    }
    for (size_t q = 0; q < quads; q += 4) {
      const Rows rows = RowsAt(args, c, args.n, 4 * q, args.k, edge);
      Interleave<uint32_t, uint64_t>(rows, Flip(args), to + q * step, step, std::min<size_t>(4, quads - q));
    }
  }
}

// Sums of the packed channels; 2^23 * 128 fits 32 bits.
HWY_INLINE void SumChannels(const PackCodesArgs& args, size_t groups) {
  const hn::CappedTag<int32_t, 16> d;
  const hn::Repartition<int8_t, decltype(d)> d8;
  const auto ones = hn::Set(hn::Repartition<uint8_t, decltype(d)>(), uint8_t{1});
  HWY_ALIGN int32_t sums[kPanelChannels] = {};
  for (size_t c = 0; c < groups * kGroupChannels; c += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    const int8_t* w = args.out + 4 * c;
    for (size_t k = 0; k < args.k; k += 4, w += groups * 64) {
      sum = hn::SumOfMulQuadAccumulate(d, ones, hn::LoadU(d8, w), sum);
    }
    hn::StoreU(sum, d, sums + c);
  }
  for (size_t c = 0; c < kPanelChannels; ++c) args.weight_sum[c] = sums[c];
}

}  // namespace pack_codes

void PackCodes(const PackCodesArgs& args) {
  const size_t groups = (args.n + kGroupChannels - 1) / kGroupChannels;
  auto* out = reinterpret_cast<uint8_t*>(args.out);
  if (args.channels_are_rows) {
    pack_codes::PackChannelRows(args, groups, out);
  } else {
    pack_codes::PackChannelColumns(args, groups, out);
  }
  pack_codes::SumChannels(args, groups);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<PackCodesFn>> PackCodesVariants() {
  static const std::vector<Variant<PackCodesFn>> variants = Runnable<PackCodesFn>(LQ_VARIANTS(PackCodes));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
