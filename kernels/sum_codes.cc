// Sums of rows of codes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sum_codes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/contracts_pack.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace sum_codes {

HWY_INLINE uint64_t SumBytes(const uint8_t* in, size_t n) {
  const hn::ScalableTag<uint8_t> d;
  const hn::Repartition<uint64_t, decltype(d)> d64;
  const size_t lanes = hn::Lanes(d);
  auto sums = hn::Zero(d64);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) sums = hn::Add(sums, hn::SumsOf8(hn::LoadU(d, in + i)));
  uint64_t sum = hn::ReduceSum(d64, sums);
  for (; i < n; ++i) sum += in[i];
  return sum;
}

// 2^15 additions of two codes below 2^16 fit 32 bits.
HWY_INLINE uint64_t SumWords(const uint16_t* in, size_t n) {
  const hn::ScalableTag<uint16_t> d;
  const hn::Repartition<uint32_t, decltype(d)> d32;
  const hn::Repartition<uint64_t, decltype(d)> d64;
  const size_t lanes = hn::Lanes(d), most = lanes << 15;
  uint64_t sum = 0;
  size_t i = 0;
  while (i + lanes <= n) {
    auto sums = hn::Zero(d32);
    for (const size_t end = std::min(n, i + most); i + lanes <= end; i += lanes) {
      const auto pairs = hn::BitCast(d32, hn::LoadU(d, in + i));
      sums = hn::Add(sums, hn::Add(hn::ShiftRight<16>(pairs), hn::And(pairs, hn::Set(d32, 0xFFFFu))));
    }
    const auto wide = hn::BitCast(d64, sums);
    sum += hn::ReduceSum(d64, hn::Add(hn::ShiftRight<32>(wide), hn::And(wide, hn::Set(d64, 0xFFFFFFFFu))));
  }
  for (; i < n; ++i) sum += in[i];
  return sum;
}

}  // namespace sum_codes

void SumCodes(const SumCodesArgs& args) {
  for (size_t row = 0; row < args.rows; ++row) {
    const auto* in = static_cast<const uint8_t*>(args.in) + row * args.stride;
    const uint64_t sum = args.wide ? sum_codes::SumWords(reinterpret_cast<const uint16_t*>(in), args.n)
                                   : sum_codes::SumBytes(in, args.n);
    args.out[row] = static_cast<double>(sum);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<SumCodesFn>> SumCodesVariants() {
  static const std::vector<Variant<SumCodesFn>> variants = Runnable<SumCodesFn>(LQ_VARIANTS(SumCodes));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
