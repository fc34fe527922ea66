// float -> codes with scales found from the data, block by block.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dynamic.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/affine_codes-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dynamic {

using quantize::DF32;
using quantize::VF32;
using Kernel = affine::CodesKernel<affine::Rule::kDivide, uint8_t>;

// Blocks whose scales are divided for at once. Their codes are written in kSteps steps, between which the maxima of the
// next group are read, so that memory is read all the time.
constexpr size_t kGroup = 16, kSteps = 4;
constexpr size_t kMostBlock = 64;
static_assert(kGroup * kMostBlock % packed_codes::kGroup == 0);

// The largest |x|; NaN is none.
HWY_INLINE float Largest(const float* in, size_t n) {
  const DF32 df;
  VF32 largest = hn::Zero(df);
  for (size_t i = 0; i < n; i += hn::Lanes(df)) {
    largest = quantize::Larger(hn::Abs(quantize::LoadUpTo(df, in + i, n - i)), largest);
  }
  return hn::ReduceMax(df, largest);
}

class Blocks {
 public:
  explicit Blocks(const QuantizeDynamicArgs& args) : args_(args), qmax_(args.type == CodeType::kS4 ? 7 : 127) {}

  void FindLargest(size_t first, size_t count) {
    for (size_t j = first; j < first + count; ++j) {
      const size_t begin = j * args_.block;
      if (begin >= args_.n) return;
      largest_[j % kGroup] = Largest(args_.in + begin, std::min(args_.block, args_.n - begin));
    }
  }

  // Of the group from `first` on, whose largest values are known.
  void WriteScales(size_t first, size_t count) {
    const DF32 df;
    for (size_t j = 0; j < count; j += hn::Lanes(df)) {
      const VF32 largest = hn::Min(hn::Load(df, largest_ + j), hn::Set(df, std::numeric_limits<float>::max()));
      const VF32 s = hn::Div(largest, hn::Set(df, static_cast<float>(qmax_)));
      const VF32 scale = hn::IfThenElse(hn::Eq(s, hn::Zero(df)), hn::Set(df, 1.0f), s);
      quantize::StoreUpTo(scale, df, args_.scale + first + j, count - j);
    }
  }

 private:
  const QuantizeDynamicArgs& args_;
  const int32_t qmax_;
  alignas(64) float largest_[kGroup] = {};
};

// The same scale for a batch that the fast rules do not take.
void Literally(const Kernel& kernel, const float* in, size_t n, float scale, uint8_t* out) {
  alignas(64) float scales[literal::kBatch];
  alignas(64) int32_t offsets[literal::kBatch] = {};
  std::fill_n(scales, literal::kBatch, scale);
  kernel.Batch(in, n, scales, offsets, out);
}

// Codes of n elements from block `first` of a group on; `fast`: as Kernel::PrepareRuns says.
void WriteCodes(const QuantizeDynamicArgs& args, const Kernel& kernel, bool fast, size_t begin, size_t first, size_t n,
                uint8_t* out) {
  const float* in = args.in + begin;
  const size_t whole = fast ? n / args.block : 0;
  kernel.Runs(in, args.block, first, whole, out);
  for (size_t j = whole; j * args.block < n; ++j) {
    const size_t at = j * args.block, count = std::min(args.block, n - at);
    if (fast) {
      kernel.Uniform(in + at, count, first + j, out + at);
    } else {
      Literally(kernel, in + at, count, args.scale[begin / args.block + j], out + at);
    }
  }
}

void Run(const QuantizeDynamicArgs& args, const QuantizeAffineArgs& rule) {
  constexpr int32_t kNoOffsets[kGroup] = {};
  const size_t bits = packed_codes::BitsOf(args.type), group = kGroup * args.block, step = group / kSteps;
  Kernel kernel(rule, affine::UnitLimit(Arithmetic::kF32));
  Blocks blocks(args);
  alignas(64) uint8_t codes[kGroup * kMostBlock] = {};
  blocks.FindLargest(0, kGroup);
  for (size_t begin = 0; begin < args.n; begin += group) {
    const size_t n = std::min(group, args.n - begin), count = (n + args.block - 1) / args.block;
    const size_t first = begin / args.block;
    blocks.WriteScales(first, count);
    const bool fast = kernel.PrepareRuns(args.scale + first, kNoOffsets, count);
    uint8_t* out = static_cast<uint8_t*>(args.out) + (bits == 0 ? begin : begin / 2);
    uint8_t* bytes = bits == 0 && !args.stream ? out : codes;
    for (size_t i = 0; i < group; i += step) {
      if (i < n) WriteCodes(args, kernel, fast, begin + i, i / args.block, std::min(step, n - i), bytes + i);
      blocks.FindLargest(first + kGroup + i / args.block, kGroup / kSteps);
    }
    if (bits != 0) packed_codes::Pack(codes, n, bits, args.stream ? codes : out);
    if (args.stream) stream::Copy(codes, out, bits == 0 ? n : (n + 1) / 2);
  }
  if (args.stream) hwy::FlushStream();
}

}  // namespace quantize_dynamic

void QuantizeDynamic(const QuantizeDynamicArgs& args) {
  const int64_t qmax = args.type == CodeType::kS4 ? 7 : 127;
  QuantizeAffineArgs rule = {};
  rule.qmin = -qmax;
  rule.qmax = qmax;
  rule.profile = RoundingProfile::kAimetDiv;
  quantize_dynamic::Run(args, rule);
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
