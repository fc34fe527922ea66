// u16 x s16 matrix product, for weights whose integers need more than 8 bits, or sums of bytes that need more than 32.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_u16s16.cc"
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

void MatmulU16S16(const MatmulArgs& args) {
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const size_t groups = PanelGroups(args.n, n0);
    const auto* panel =
        reinterpret_cast<const int16_t*>(static_cast<const uint8_t*>(args.w) + PanelS16Offset(n0, args.k));
    HWY_ALIGN int64_t high[kPanelChannels], low[kPanelChannels];
    for (size_t row = 0; row < args.m; ++row) {
      const auto* codes = reinterpret_cast<const uint16_t*>(args.a + row * args.a_stride);
      s16::MultiplyRow(ByteRow(codes, args.k, true), panel, groups, high);
      s16::MultiplyRow(ByteRow(codes, args.k, false), panel, groups, low);
      for (size_t c = n0; c < std::min(args.n_end, n0 + kPanelChannels); ++c) {
        const Accumulator acc = WithTerms(256 * high[c - n0] + low[c - n0], args, row, c);
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

std::span<const Variant<MatmulFn>> MatmulU16S16Variants() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU16S16));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
