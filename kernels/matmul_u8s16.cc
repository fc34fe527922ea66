// u8 x s16 matrix product, for weights whose integers need more than 8 bits. Pairs of products are exact in int32 and
// are moved to int64 before they can leave it: 128 pairs are at most 128 * 2 * 255 * 2^15 < 2^31.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u8s16.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace s16 {
namespace hn = hwy::HWY_NAMESPACE;

using D32 = hn::CappedTag<int32_t, 16>;
using DS16 = hn::Repartition<int16_t, D32>;
using D64 = hn::Repartition<int64_t, D32>;

constexpr size_t kPairsPerDrain = 128;

// One row x one group of a panel.
struct GroupArgs {
  const uint8_t* a;
  const int16_t* w;
  size_t w_step;  // elements from pair to pair of k
  size_t pairs;
};

// Two codes in the low and the high 16 bits.
HWY_INLINE int32_t PairOf(const uint8_t* a) { return a[0] | a[1] << 16; }

// totals[0 .. lanes) += the group's dot products, one vector of channels.
HWY_INLINE void MultiplyVector(const GroupArgs& t, size_t channel, int64_t* HWY_RESTRICT totals) {
  const D32 d;
  const DS16 d16;
  const D64 d64;
  auto low = hn::Zero(d64), high = hn::Zero(d64);
  for (size_t p = 0; p < t.pairs;) {
    auto sum = hn::Zero(d);
    for (const size_t end = std::min(t.pairs, p + kPairsPerDrain); p < end; ++p) {
      const auto codes = hn::BitCast(d16, hn::Set(d, PairOf(t.a + 2 * p)));
      sum = hn::Add(sum, hn::WidenMulPairwiseAdd(d, codes, hn::LoadU(d16, t.w + p * t.w_step + channel * 2)));
    }
    low = hn::Add(low, hn::PromoteLowerTo(d64, sum));
    high = hn::Add(high, hn::PromoteUpperTo(d64, sum));
  }
  hn::StoreU(low, d64, totals);
  hn::StoreU(high, d64, totals + hn::Lanes(d64));
}

void MatmulU8S16(const MatmulArgs& args) {
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const size_t groups = PanelGroups(args.n, n0);
    const uint8_t* panel = static_cast<const uint8_t*>(args.w) + PanelS16Offset(n0, args.k);
    HWY_ALIGN int64_t totals[kPanelChannels];
    for (size_t row = 0; row < args.m; ++row) {
      const GroupArgs t = {args.a + row * args.a_stride, reinterpret_cast<const int16_t*>(panel),
                           groups * kGroupChannels * 2, (args.k + 1) / 2};
      for (size_t c = 0; c < groups * kGroupChannels; c += hn::Lanes(D32())) MultiplyVector(t, c, totals + c);
      for (size_t c = n0; c < std::min(args.n_end, n0 + kPanelChannels); ++c) {
        const double acc = static_cast<double>(totals[c - n0] + args.epilogue->start_wide[c]);
        StoreOutput(acc, c, *args.epilogue, args.out_type, args.out, row * args.out_stride + c);
      }
    }
  }
}

}  // namespace s16

using s16::MatmulU8S16;

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFn>> MatmulU8S16Variants() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU8S16));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
