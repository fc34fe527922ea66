// u8 x s16 matrix product, for weights whose integers need more than 8 bits, or sums that need more than 32.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u8s16.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/contracts.h"
#include "kernels/epilogue.h"
#include "kernels/matmul_s16-inl.h"
#include "kernels/packing.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S16(const MatmulArgs& args) {
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const uint8_t* panel = static_cast<const uint8_t*>(args.w) + PanelS16Offset(n0, args.k);
    HWY_ALIGN int64_t totals[kPanelChannels];
    for (size_t row = 0; row < args.m; ++row) {
      s16::MultiplyRow(ByteRow(args.a + row * args.a_stride, args.k), reinterpret_cast<const int16_t*>(panel),
                       PanelGroups(args.n, n0), totals);
      for (size_t c = n0; c < std::min(args.n_end, n0 + kPanelChannels); ++c) {
        const Accumulator acc = WithTerms(totals[c - n0], args, row, c);
        StoreOutput(acc, c, *args.epilogue, args.out_type, args.out, row * args.out_stride + c);
      }
    }
  }
}

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
