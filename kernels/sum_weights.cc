// Sums of a channel's weights and of their sizes: two dot products with ones.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sum_weights.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/contracts_pack.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace sum_weights {

using D32 = hn::CappedTag<int32_t, 16>;
using D8 = hn::Repartition<int8_t, D32>;
using V32 = hn::Vec<D32>;

HWY_INLINE void AddCodes(hn::Vec<D8> codes, V32& sum, V32& absolute) {
  const D32 d;
  const hn::RebindToUnsigned<D8> du8;
  sum = hn::SumOfMulQuadAccumulate(d, hn::Set(du8, uint8_t{1}), codes, sum);
  // |-128| is 128 as u8.
  absolute = hn::SumOfMulQuadAccumulate(d, hn::BitCast(du8, hn::Abs(codes)), hn::Set(D8(), int8_t{1}), absolute);
}

HWY_INLINE void AddBlock(const int8_t* codes, size_t count, V32& sum, V32& absolute) {
  const D8 d8;
  const size_t lanes = hn::Lanes(d8);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) AddCodes(hn::LoadU(d8, codes + i), sum, absolute);
  if (i < count) AddCodes(hn::LoadN(d8, codes + i, count - i), sum, absolute);
}

}  // namespace sum_weights

void SumWeights(const SumWeightsArgs& args) {
  using sum_weights::V32;
  const sum_weights::D32 d;
  V32 sum = hn::Zero(d), absolute = hn::Zero(d);
  if (args.scale == nullptr) {
    sum_weights::AddBlock(args.codes, args.k, sum, absolute);
  } else {
    for (size_t k = 0; k < args.k; k += args.block) {
      V32 block_sum = hn::Zero(d), block_absolute = hn::Zero(d);
      sum_weights::AddBlock(args.codes + k, args.block, block_sum, block_absolute);
      const V32 scale = hn::Set(d, static_cast<int32_t>(args.scale[k / args.block]));
      sum = hn::Add(sum, hn::Mul(block_sum, scale));
      absolute = hn::Add(absolute, hn::Mul(block_absolute, scale));
    }
  }
  *args.sum = hn::ReduceSum(d, sum);
  *args.absolute_sum = hn::ReduceSum(d, absolute);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<SumWeightsFn>> SumWeightsVariants() {
  static const std::vector<Variant<SumWeightsFn>> variants = Runnable<SumWeightsFn>(LQ_VARIANTS(SumWeights));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
