// Codes x s16 weights: matmul_u8s16 and matmul_u16s16. Pairs of products of bytes are exact in int32 and are moved to
// int64 before they can leave it: 128 pairs are at most 128 * 2 * 255 * 2^15 < 2^31.

#ifndef LANEQUANT_KERNELS_MATMUL_S16_INL_CODES_
#define LANEQUANT_KERNELS_MATMUL_S16_INL_CODES_

#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"

namespace lq::kernels {

// The dot of row `row` of the call and channel c, finished.
inline Accumulator WithTerms(int64_t dot, const MatmulArgs& args, size_t row, size_t c) {
  const RowTerms* terms = args.row_terms;
  if (terms == nullptr) return {static_cast<double>(dot + args.epilogue->start_wide[c])};
  const double acc = static_cast<double>(dot) + (terms->offset[row] * terms->weight_sum[c] + terms->start[row]);
  return {acc, terms->scale == nullptr ? 1.0 : terms->scale[row]};
}

// A row of bytes: of u8 codes, or the high or the low ones of u16 codes.
class ByteRow {
 public:
  explicit ByteRow(const uint8_t* codes, size_t k) : bytes_(codes), step_(1), k_(k) {}
  ByteRow(const uint16_t* codes, size_t k, bool high)
      : bytes_(reinterpret_cast<const uint8_t*>(codes) + (high == kLittleEndian ? 1 : 0)), step_(2), k_(k) {}

  size_t pairs() const { return (k_ + 1) / 2; }
  // Bytes 2p and 2p + 1 in the low and the high 16 bits.
  int32_t Pair(size_t p) const {
    const uint8_t* at = bytes_ + 2 * p * step_;
    return 2 * p + 1 < k_ ? at[0] | at[step_] << 16 : at[0];
  }

 private:
  static constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  const uint8_t* bytes_;
  size_t step_, k_;
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_MATMUL_S16_INL_CODES_

#if defined(LANEQUANT_KERNELS_MATMUL_S16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_S16_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_S16_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_S16_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace s16 {

using D32 = hn::CappedTag<int32_t, 16>;
using DS16 = hn::Repartition<int16_t, D32>;
using D64 = hn::Repartition<int64_t, D32>;

constexpr size_t kPairsPerDrain = 128;

// totals[0 .. lanes) = the dots of a row with one vector of channels. w: pair 0 of the first; w_step: elements from
// pair to pair of k.
HWY_INLINE void MultiplyVector(const ByteRow& row, const int16_t* w, size_t w_step, int64_t* HWY_RESTRICT totals) {
  const D32 d;
  const DS16 d16;
  const D64 d64;
  auto low = hn::Zero(d64), high = hn::Zero(d64);
  for (size_t p = 0; p < row.pairs();) {
    auto sum = hn::Zero(d);
    for (const size_t end = std::min(row.pairs(), p + kPairsPerDrain); p < end; ++p) {
      const auto codes = hn::BitCast(d16, hn::Set(d, row.Pair(p)));
      sum = hn::Add(sum, hn::WidenMulPairwiseAdd(d, codes, hn::LoadU(d16, w + p * w_step)));
    }
    low = hn::Add(low, hn::PromoteLowerTo(d64, sum));
    high = hn::Add(high, hn::PromoteUpperTo(d64, sum));
  }
  hn::StoreU(low, d64, totals);
  hn::StoreU(high, d64, totals + hn::Lanes(d64));
}

// The dots of a row with the panel at channel n0.
static HWY_NOINLINE void MultiplyRow(const ByteRow& row, const int16_t* panel, size_t groups, int64_t* totals) {
  for (size_t c = 0; c < groups * kGroupChannels; c += hn::Lanes(D32())) {
    MultiplyVector(row, panel + 2 * c, groups * kGroupChannels * 2, totals + c);
  }
}

}  // namespace s16
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_S16_INL_H_
