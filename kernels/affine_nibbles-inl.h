// Per-target: floats -> signed 4-bit codes, packed while they are in registers: a tenth faster than by way of bytes.

#if defined(LANEQUANT_KERNELS_AFFINE_NIBBLES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_NIBBLES_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_NIBBLES_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_NIBBLES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/affine_codes-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace affine {

constexpr size_t kEight = 8 * hn::MaxLanes(DF32());  // elements of eight vectors

// Whether NibblesKernel, where there is one, takes the codes: all stretches of AffineLoop begin at an even element.
HWY_INLINE bool AreNibbles(const QuantizeAffineArgs& args) {
  const AffineLayout& layout = args.layout;
  const bool even = layout.count == 1 || layout.run % 2 == 0 || (layout.run == 1 && layout.count % kEight == 0);
  return args.type == CodeType::kS4 && args.in_type == FloatType::kF32 && even;
}

#if LQ_LOWEST_FOR_NAN

// Where packed codes go, counted by codes: an even number of them at a time, but for the last ones.
class Nibbles {
 public:
  explicit Nibbles(uint8_t* bytes) : bytes_(bytes) {}
  Nibbles operator+(size_t codes) const { return Nibbles(bytes_ + codes / 2); }
  Nibbles& operator+=(size_t codes) { return *this = *this + codes; }
  uint8_t* bytes() const { return bytes_; }

 private:
  uint8_t* bytes_;
};

// What AffineLoop runs. Eight vectors at a time where codes saturate, the rest as CodesKernel does.
class NibblesKernel {
 public:
  using In = float;
  using Results = Nibbles;

  NibblesKernel(const QuantizeAffineArgs& args, int64_t limit) : codes_(args, limit) {}

  bool PrepareRuns(const float* scale, const int32_t* offset, size_t n) { return codes_.PrepareRuns(scale, offset, n); }
  bool PrepareRow(const float* scale, const int32_t* offset, size_t n) { return codes_.PrepareRow(scale, offset, n); }

  HWY_INLINE void Uniform(const float* in, size_t n, size_t k, Nibbles out) const {
    size_t i = 0;
    if (codes_.IsSaturating()) {
      for (; i + kEight <= n; i += kEight)
        StoreRuns(
            in + i, [k](size_t) { return k; }, out + i);
    }
    for (; i < n; i += kEight) {
      const size_t left = std::min(kEight, n - i);
      ByBytes(left, out + i, [&](uint8_t* bytes) HWY_ATTR { codes_.Uniform(in + i, left, k, bytes); });
    }
  }

  HWY_INLINE void Runs(const float* in, size_t run, size_t k, size_t runs, Nibbles out) const {
    size_t j = 0;
    if (codes_.IsSaturating() && run == kEight / 4) {
      for (; j + 4 <= runs; j += 4) {
        StoreRuns(
            in + j * run, [k, j](size_t v) { return k + j + v / 2; }, out + j * run);
      }
    } else if (codes_.IsSaturating() && run == kEight / 2) {
      for (; j + 2 <= runs; j += 2) {
        StoreRuns(
            in + j * run, [k, j](size_t v) { return k + j + v / 4; }, out + j * run);
      }
    }
    for (; j < runs; ++j) Uniform(in + j * run, run, k + j, out + j * run);
  }

  HWY_INLINE void Row(const float* in, size_t n, size_t at, Nibbles out) const {
    size_t i = 0;
    if (codes_.IsSaturatingRow()) {
      const VF32 high = codes_.HighOfRow();
      for (; i + kEight <= n; i += kEight) StoreRow(in + i, at + i, high, out + i);
    }
    for (; i < n; i += kEight) {
      const size_t left = std::min(kEight, n - i);
      ByBytes(left, out + i, [&](uint8_t* bytes) HWY_ATTR { codes_.Row(in + i, left, at + i, bytes); });
    }
  }

  HWY_NOINLINE void Batch(const float* in, size_t n, const float* scale, const int32_t* offset, Nibbles out) const {
    ByBytes(n, out, [&](uint8_t* bytes) HWY_ATTR { codes_.Batch(in, n, scale, offset, bytes); });
  }

 private:
  // Up to kEight codes, which `store` leaves a byte to each.
  template <class StoreBytes>
  HWY_INLINE static void ByBytes(size_t n, Nibbles out, const StoreBytes& store) {
    alignas(64) uint8_t bytes[packed_codes::kGroup];
    store(bytes);
    packed_codes::Pack(bytes, n, 4, out.bytes());
  }

  // run_of(v): that of the v-th vector.
  template <class RunOf>
  HWY_INLINE void StoreRuns(const float* in, const RunOf& run_of, Nibbles out) const {
    const DF32 df;
    const RunScales& runs = codes_.runs();
    StoreEight<false>(out, [&](size_t v) HWY_ATTR {
      const size_t k = run_of(v);
      const VF32 below = quantize::Smaller(runs.High(k), hn::LoadU(df, in + v * hn::Lanes(df)));  // NaN stays
      return Quotient<Rule::kDivide>(below, runs.AtScale(k), runs.AtInverse(k), hn::Zero(df), hn::Zero(df));
    });
  }

  HWY_INLINE void StoreRow(const float* in, size_t at, VF32 high, Nibbles out) const {
    const DF32 df;
    const float *scales = codes_.row().Scales() + at, *inverses = codes_.row().Inverses() + at;
    StoreEight<true>(out, [&](size_t v) HWY_ATTR {
      const size_t i = v * hn::Lanes(df);
      const VF32 below = quantize::Smaller(high, hn::LoadU(df, in + i));
      const VF32 scale = hn::LoadU(df, scales + i), inverse = hn::LoadU(df, inverses + i);
      return Quotient<Rule::kDivide>(below, scale, inverse, hn::Zero(df), hn::Zero(df));
    });
  }

  // units(v): the v-th of eight vectors. kMayExceed: qmax.
  template <bool kMayExceed, class Units8>
  HWY_INLINE void StoreEight(Nibbles out, const Units8& units) const {
    const hn::Repartition<uint8_t, D32> d8;
    const hn::Repartition<uint16_t, D32> d16;
    const auto first = PairsOf<kMayExceed>(units(0), units(1), units(2), units(3));
    const auto second = PairsOf<kMayExceed>(units(4), units(5), units(6), units(7));
    // Each 16 bits are four codes of one vector, those of all eight in turn.
    alignas(64) static constexpr uint16_t kOrder[32] = {0, 8,  16, 24, 1, 9,  17, 25, 2, 10, 18, 26, 3, 11, 19, 27,
                                                        4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31};
    const auto bytes = hn::BitCast(d16, hn::ReorderDemote2To(d8, first, second));
    const auto ordered = hn::TableLookupLanes(bytes, hn::SetTableIndices(d16, kOrder));
    hn::StoreU(hn::BitCast(d8, ordered), d8, out.bytes());
  }

  // Two codes in the low byte of 16 bits.
  template <bool kMayExceed>
  HWY_INLINE hn::Vec<hn::Repartition<int16_t, D32>> PairsOf(VF32 t0, VF32 t1, VF32 t2, VF32 t3) const {
    const hn::Repartition<uint8_t, D32> d8;
    const hn::Repartition<int16_t, D32> d16;
    const auto codes = hn::BitCast(d8, codes_.Saturated4<kMayExceed>(t0, t1, t2, t3));
    constexpr uint16_t kWeights = 16 << 8 | 1;
    const auto weights = hn::BitCast(hn::RebindToSigned<decltype(d8)>(), hn::Set(d16, kWeights));
    return hn::SatWidenMulPairwiseAdd(d16, hn::And(codes, hn::Set(d8, 15)), weights);
  }

  CodesKernel<Rule::kDivide, uint8_t> codes_;
};

#endif

}  // namespace affine

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_NIBBLES_INL_H_
