// Rows of packed weights from codes: squares of 16 channels x 16 k, transposed in registers, or where k are rows
// already four of them interleaved.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pack_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/contracts_pack.h"
#include "kernels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace pack_rows {

using transpose::D8;
using transpose::Interleave;
using transpose::kBytes;
using transpose::V8;
using D32 = hn::Repartition<uint32_t, D8>;

// 16 k of four channels; the next channel is `stride` bytes on.
struct Source {
  const uint8_t* in;
  size_t stride;

  V8 Load(size_t channel) const { return hn::LoadU(D8(), in + channel * stride); }
};

// Where the rows of 16 k go. A row of them is `step` bytes from the next; the first `rows` are there.
struct Target {
  uint8_t* out;
  size_t step, rows;

  HWY_INLINE void Store(size_t row, V8 v) const {
    if (row < rows) hn::StoreU(v, D8(), out + row * step);
  }
};

// Two quads of codes q -> q + 8 in nibbles, the second quad high.
HWY_INLINE V8 Nibbles(V8 low, V8 high) {
  const D8 d8;
  const hn::Repartition<uint16_t, D8> d16;
  const auto mask = hn::Set(d8, uint8_t{15});
  const auto shifted = hn::BitCast(d8, hn::ShiftLeft<4>(hn::BitCast(d16, hn::And(high, mask))));
  return hn::Xor(hn::Or(hn::And(low, mask), shifted), hn::Set(d8, uint8_t{0x88}));
}

// Two quads of codes -> nibbles in the order of NibbleShift (packing_blocks.h): bytes 02 46 13 57.
HWY_INLINE V8 SplitNibbles(V8 first, V8 second) {
  const D32 d;
  const auto nibbles = hn::Set(d, 0x0F0F0F0Fu), low = hn::Set(d, 0xFFu), high = hn::Set(d, 0xFF00u);
  const auto a = hn::And(hn::BitCast(d, first), nibbles), b = hn::And(hn::BitCast(d, second), nibbles);
  const auto a2 = hn::Or(a, hn::ShiftRight<12>(a)), b2 = hn::Or(b, hn::ShiftRight<12>(b));  // their low halves count
  const auto lower = hn::Or(hn::And(a2, low), hn::ShiftLeft<8>(hn::And(b2, low)));
  const auto upper = hn::Or(hn::ShiftLeft<8>(hn::And(a2, high)), hn::ShiftLeft<16>(hn::And(b2, high)));
  return hn::BitCast(D8(), hn::Or(lower, upper));
}

// Four channels of a format whose rows have 32 bits a channel.
template <RowFormat kFormat>
HWY_INLINE void PackFour(const Source& source, const Target& target) {
  V8 q0 = source.Load(0), q1 = source.Load(1), q2 = source.Load(2), q3 = source.Load(3);
  Interleave<uint32_t, uint64_t>(q0, q1, q2, q3);
  if constexpr (kFormat == RowFormat::kS8) {
    target.Store(0, q0);
    target.Store(1, q1);
    target.Store(2, q2);
    target.Store(3, q3);
  } else if constexpr (kFormat == RowFormat::kS4) {
    target.Store(0, Nibbles(q0, q1));
    target.Store(1, Nibbles(q2, q3));
  } else {
    target.Store(0, SplitNibbles(q0, q1));
    target.Store(1, SplitNibbles(q2, q3));
  }
}

// Sixteen channels of bytes: four by four, then the fours.
HWY_INLINE void PackBytes(const Source& source, const Target& target) {
  const D8 d8;
  HWY_ALIGN uint8_t fours[16 * kBytes];  // [4 k][4 channels][k][channel]
  for (size_t c = 0; c < 4; ++c) {
    const Source four = {source.in + 4 * c * source.stride, source.stride};
    V8 v0 = four.Load(0), v1 = four.Load(1), v2 = four.Load(2), v3 = four.Load(3);
    Interleave<uint8_t, uint16_t>(v0, v1, v2, v3);
    hn::Store(v0, d8, fours + c * kBytes);
    hn::Store(v1, d8, fours + (4 + c) * kBytes);
    hn::Store(v2, d8, fours + (8 + c) * kBytes);
    hn::Store(v3, d8, fours + (12 + c) * kBytes);
  }
  for (size_t k = 0; k < 4; ++k) {
    const uint8_t* from = fours + 4 * k * kBytes;
    V8 v0 = hn::Load(d8, from), v1 = hn::Load(d8, from + kBytes);
    V8 v2 = hn::Load(d8, from + 2 * kBytes), v3 = hn::Load(d8, from + 3 * kBytes);
    Interleave<uint32_t, uint64_t>(v0, v1, v2, v3);
    target.Store(4 * k, v0);
    target.Store(4 * k + 1, v1);
    target.Store(4 * k + 2, v2);
    target.Store(4 * k + 3, v3);
  }
}

template <RowFormat kFormat>
HWY_INLINE void PackSixteen(const Source& source, const Target& target) {
  if constexpr (kFormat == RowFormat::kBlockS8) {
    PackBytes(source, target);
  } else {
    for (size_t c = 0; c < 16; c += 4) {
      PackFour<kFormat>({source.in + c * source.stride, source.stride}, {target.out + c * 4, target.step, target.rows});
    }
  }
}

// 16 k of all channels at a time, so that what is written lies together.
template <RowFormat kFormat>
HWY_NOINLINE void Pack(const PackRowsArgs& args) {
  constexpr size_t kRow = kFormat == RowFormat::kS8 ? 4 : kFormat == RowFormat::kBlockS8 ? 1 : 8;  // k
  constexpr size_t kChannelBytes = kFormat == RowFormat::kBlockS8 ? 1 : 4;
  HWY_ALIGN uint8_t edge[16 * kBytes] = {};
  const size_t step = args.channels * kChannelBytes;
  const auto* in = reinterpret_cast<const uint8_t*>(args.codes);
  auto* out = static_cast<uint8_t*>(args.out);
  for (size_t k = 0; k < args.k; k += kBytes, out += kBytes / kRow * step) {
    const size_t left = std::min(kBytes, args.k - k), rows = (left + kRow - 1) / kRow;
    for (size_t c = 0; c < args.channels; c += 16) {
      Source source = {in + c * args.stride + k, args.stride};
      if (left < kBytes) {
        for (size_t i = 0; i < 16; ++i) std::memcpy(edge + i * kBytes, source.in + i * args.stride, left);
        source = {edge, kBytes};
      }
      PackSixteen<kFormat>(source, {out + c * kChannelBytes, step, rows});
    }
  }
}

// A quad of k of 16 channels: four vectors of four channels.
HWY_INLINE void LoadQuad(const uint8_t* in, size_t stride, V8& q0, V8& q1, V8& q2, V8& q3) {
  const D8 d;
  q0 = hn::LoadU(d, in);
  q1 = hn::LoadU(d, in + stride);
  q2 = hn::LoadU(d, in + 2 * stride);
  q3 = hn::LoadU(d, in + 3 * stride);
  Interleave<uint8_t, uint16_t>(q0, q1, q2, q3);
}

// All channels of a k before the next one: often rows are a power of two apart, and the first-level cache holds few.
template <bool kNibbles>
HWY_INLINE void PackQuads(const PackColumnsArgs& args) {
  constexpr size_t kStep = kNibbles ? 8 : 4;  // k in a row
  const size_t stride = args.stride, channels = args.channels;
  const auto* in = reinterpret_cast<const uint8_t*>(args.codes);
  auto* out = static_cast<uint8_t*>(args.out);
  for (size_t k = 0; k < args.k; k += kStep, in += kStep * stride) {
    for (size_t c = 0; c < channels; c += 16, out += 64) {
      V8 a0, a1, a2, a3;
      LoadQuad(in + c, stride, a0, a1, a2, a3);
      if constexpr (kNibbles) {
        V8 b0, b1, b2, b3;
        LoadQuad(in + c + 4 * stride, stride, b0, b1, b2, b3);
        a0 = Nibbles(a0, b0);
        a1 = Nibbles(a1, b1);
        a2 = Nibbles(a2, b2);
        a3 = Nibbles(a3, b3);
      }
      hn::StoreU(a0, D8(), out);
      hn::StoreU(a1, D8(), out + kBytes);
      hn::StoreU(a2, D8(), out + 2 * kBytes);
      hn::StoreU(a3, D8(), out + 3 * kBytes);
    }
  }
}

using DSum = hn::CappedTag<int32_t, 16>;
using DCodes = hn::Repartition<int8_t, DSum>;
HWY_INLINE void AddCodes(hn::Vec<DCodes> codes, hn::Vec<DSum>& sum, hn::Vec<DSum>& absolute) {
  const DSum d;
  const hn::Repartition<uint8_t, DSum> du8;
  sum = hn::SumOfMulQuadAccumulate(d, hn::Set(du8, uint8_t{1}), codes, sum);
  const auto size = hn::BitCast(du8, hn::Abs(codes));  // |-128| is 128 as u8
  absolute = hn::SumOfMulQuadAccumulate(d, size, hn::Set(DCodes(), int8_t{1}), absolute);
}

// Of what has been packed.
template <bool kNibbles>
HWY_INLINE void SumColumns(const PackColumnsArgs& args) {
  const DSum d;
  const DCodes d8;
  const hn::Repartition<uint16_t, DSum> d16;
  const auto mask = hn::Set(d8, int8_t{15}), eight = hn::Set(d8, int8_t{8});
  const size_t rows = args.k / (kNibbles ? 8 : 4), row = 4 * args.channels;
  for (size_t c = 0; c < args.channels; c += hn::Lanes(d)) {
    const int8_t* packed = static_cast<const int8_t*>(args.out) + 4 * c;
    auto sum = hn::Zero(d), absolute = hn::Zero(d);
    for (size_t r = 0; r < rows; ++r, packed += row) {
      const auto x = hn::LoadU(d8, packed);
      if constexpr (kNibbles) {
        const auto high = hn::BitCast(d8, hn::ShiftRight<4>(hn::BitCast(d16, x)));
        AddCodes(hn::Sub(hn::And(x, mask), eight), sum, absolute);
        AddCodes(hn::Sub(hn::And(high, mask), eight), sum, absolute);
      } else {
        AddCodes(x, sum, absolute);
      }
    }
    hn::StoreU(sum, d, args.sum + c);
    hn::StoreU(absolute, d, args.absolute_sum + c);
  }
}

template <bool kNibbles>
HWY_INLINE void Columns(const PackColumnsArgs& args) {
  PackQuads<kNibbles>(args);
  SumColumns<kNibbles>(args);
}

}  // namespace pack_rows

void PackColumns(const PackColumnsArgs& args) {
  if (args.format == RowFormat::kS4) return pack_rows::Columns<true>(args);
  pack_rows::Columns<false>(args);
}

void PackRows(const PackRowsArgs& args) {
  switch (args.format) {
    case RowFormat::kS8:
      return pack_rows::Pack<RowFormat::kS8>(args);
    case RowFormat::kS4:
      return pack_rows::Pack<RowFormat::kS4>(args);
    case RowFormat::kBlockS8:
      return pack_rows::Pack<RowFormat::kBlockS8>(args);
    case RowFormat::kBlockS4:
      return pack_rows::Pack<RowFormat::kBlockS4>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<PackRowsFn>> PackRowsVariants() {
  static const std::vector<Variant<PackRowsFn>> variants = Runnable<PackRowsFn>(LQ_VARIANTS(PackRows));
  return variants;
}

std::span<const Variant<PackColumnsFn>> PackColumnsVariants() {
  static const std::vector<Variant<PackColumnsFn>> variants = Runnable<PackColumnsFn>(LQ_VARIANTS(PackColumns));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
