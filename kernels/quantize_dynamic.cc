// float -> codes with scales found from the data, block by block.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dynamic.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/block_groups-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/exact_division-inl.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/quantize-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dynamic {

using block_groups::kMaxLanes;
using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

// The largest |x|; NaN is none.
HWY_INLINE float Largest(const float* in, size_t n) {
  const DF32 df;
  VF32 largest = hn::Zero(df);
  for (size_t i = 0; i < n; i += hn::Lanes(df)) {
    largest = quantize::Larger(hn::Abs(quantize::LoadUpTo(df, in + i, n - i)), largest);
  }
  return hn::ReduceMax(df, largest);
}

// One block as the contract says; returns its scale.
float QuantizeBlock(const float* in, size_t n, float qmax, uint8_t* codes) {
  const DF32 df;
  const hn::Rebind<uint8_t, DF32> d8;
  const hn::RebindToUnsigned<DF32> du;
  const float ratio = std::min(Largest(in, n), std::numeric_limits<float>::max()) / qmax;
  const float scale = ratio == 0 ? 1.0f : ratio;
  for (size_t i = 0; i < n; i += hn::Lanes(df)) {
    const VF32 t = hn::Div(quantize::LoadUpTo(df, in + i, n - i), hn::Set(df, scale));
    const V32 code = quantize::RoundToInt(quantize::Clamp(t, hn::Set(df, -qmax), hn::Set(df, qmax)));
    quantize::StoreUpTo(hn::TruncateTo(d8, hn::BitCast(du, code)), d8, codes + i, n - i);
  }
  return scale;
}

// What block_groups::RunGroups runs. A quotient is at most qmax * (1 + 2^-23), so that its nearest integer is a code
// without a clamp: adding 1.5 * 2^23 leaves it in the low bits.
template <size_t kBlock>
class Groups {
 public:
  explicit Groups(const QuantizeDynamicArgs& args)
      : args_(args),
        packed_(args.type == CodeType::kS4),
        direct_(args.stream && !packed_ && stream::IsAligned(args.out)),
        by_lines_(args.stream && !direct_),
        qmax_(packed_ ? 7 : 127),
        lines_(args.out) {}

  // NaN, infinities and scales that exact_division-inl.h does not take fail the comparisons.
  HWY_INLINE bool Prepare(V32 largest, size_t g) {
    const DF32 df;
    const VF32 one = hn::Set(df, 1.0f), ratio = hn::Div(hn::BitCast(df, largest), hn::Set(df, qmax_));
    const VF32 scale = hn::IfThenElse(hn::Eq(ratio, hn::Zero(df)), one, ratio);
    hn::StoreU(scale, df, args_.scale + g * hn::Lanes(df));
    hn::Store(scale, df, scale_[g % 2]);
    hn::Store(hn::Div(one, scale), df, inverse_[g % 2]);
    return hn::AllTrue(df, hn::And(hn::Ge(scale, hn::Set(df, exact_division::kSmallestDivisor)),
                                   hn::Le(scale, hn::Set(df, exact_division::kLargestDivisor))));
  }

  template <class Between>
  HWY_INLINE void Quantize(size_t g, Between between) {
    const size_t lanes = hn::Lanes(DF32()), begin = g * lanes * kBlock;
    const float *in = args_.in + begin, *scale = scale_[g % 2], *inverse = inverse_[g % 2];
    uint8_t* codes = packed_ ? codes_ : Out(begin);
    const size_t step = std::max(kBlock, 4 * lanes);  // whole blocks and whole vectors of codes
    for (size_t i = 0; i < lanes * kBlock; i += step) {
      for (size_t k = i / kBlock; k < (i + step) / kBlock; ++k) between(k);
      for (size_t j = i; j < i + step; j += 4 * lanes) {
        const size_t first = j / kBlock, second = (j + 2 * lanes) / kBlock;
        StoreFour(Bits(in + j, scale[first], inverse[first]), Bits(in + j + lanes, scale[first], inverse[first]),
                  Bits(in + j + 2 * lanes, scale[second], inverse[second]),
                  Bits(in + j + 3 * lanes, scale[second], inverse[second]), codes + j);
      }
    }
    Write(begin, lanes * kBlock);
  }

  void QuantizeSpecial(size_t g) {
    const size_t n = hn::Lanes(DF32()) * kBlock;
    QuantizeEach(g * n, n);
  }

  // Element `begin` and those behind it, at most a group.
  void QuantizeEach(size_t begin, size_t n) {
    uint8_t* codes = packed_ ? codes_ : Out(begin);
    for (size_t i = 0; i < n; i += kBlock) {
      args_.scale[(begin + i) / kBlock] =
          QuantizeBlock(args_.in + begin + i, std::min(kBlock, n - i), qmax_, codes + i);
    }
    Write(begin, n);
  }

  void Finish() {
    if (by_lines_) lines_.Finish();
    if (direct_) hwy::FlushStream();
  }

 private:
  HWY_INLINE static V32 Bits(const float* in, float scale, float inverse) {
    const DF32 df;
    const VF32 t = exact_division::Quotient(hn::LoadU(df, in), hn::Set(df, scale), hn::Set(df, inverse));
    return hn::BitCast(D32(), hn::Add(t, hn::Set(df, 12582912.0f)));
  }

  HWY_INLINE void StoreFour(V32 v0, V32 v1, V32 v2, V32 v3, uint8_t* codes) const {
    const hn::RebindToUnsigned<D32> d32;
    const hn::Repartition<uint16_t, D32> d16;
    const hn::Repartition<uint8_t, D32> d8;
    const auto low = hn::OrderedTruncate2To(d16, hn::BitCast(d32, v0), hn::BitCast(d32, v1));
    const auto high = hn::OrderedTruncate2To(d16, hn::BitCast(d32, v2), hn::BitCast(d32, v3));
    const auto all = hn::OrderedTruncate2To(d8, low, high);
    if (direct_) {
      hn::Stream(all, d8, codes);
    } else {
      hn::StoreU(all, d8, codes);
    }
  }

  // Where the bytes of codes from element `begin` on are written.
  HWY_INLINE uint8_t* Out(size_t begin) {
    if (by_lines_) return static_cast<uint8_t*>(lines_.next());
    return static_cast<uint8_t*>(args_.out) + (packed_ ? begin / 2 : begin);
  }

  // Codes that are not yet where they belong.
  HWY_INLINE void Write(size_t begin, size_t n) {
    if (packed_ && n % 128 == 0) {
      packed_codes::JoinPairs<4>(codes_, n / 2, Out(begin));
    } else if (packed_) {
      packed_codes::Pack(codes_, n, 4, Out(begin));
    }
    if (by_lines_) lines_.Push(packed_ ? (n + 1) / 2 : n);
  }

  const QuantizeDynamicArgs args_;
  const bool packed_;
  const bool direct_, by_lines_;  // how codes go around the caches
  const float qmax_;
  alignas(64) float scale_[2][kMaxLanes], inverse_[2][kMaxLanes];
  static_assert(kMaxLanes * kBlock % packed_codes::kGroup == 0);
  alignas(64) uint8_t codes_[kMaxLanes * kBlock] = {};  // one to a byte, to be packed
  stream::Lines lines_;
};

template <size_t kBlock>
void Run(const QuantizeDynamicArgs& args) {
  const DF32 df;
  const size_t group = hn::Lanes(df) * kBlock, groups = args.n / group;
  Groups<kBlock> kernel(args);
  if (groups != 0) block_groups::RunGroups<FloatType::kF32, kBlock>(df, args.in, kBlock, groups, args.stream, kernel);
  if (groups * group != args.n) kernel.QuantizeEach(groups * group, args.n - groups * group);
  kernel.Finish();
}

}  // namespace quantize_dynamic

void QuantizeDynamic(const QuantizeDynamicArgs& args) {
  if (args.block == 32) return quantize_dynamic::Run<32>(args);
  quantize_dynamic::Run<64>(args);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeDynamicFn>> QuantizeDynamicVariants() {
  static const std::vector<Variant<QuantizeDynamicFn>> variants =
      Runnable<QuantizeDynamicFn>(LQ_VARIANTS(QuantizeDynamic));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
