// Floats -> the grid that each block chooses for itself. Blocks along the last axis lie in vectors and are reduced
// across lanes; along any other axis each lane is a block of its own.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_blocks.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/contracts_float.h"
#include "kernels/single_block-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"
#include "kernels/usual_blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dequantize_blocks {

using single_block::Block;
using single_block::QuantizeBlock;
using single_block::QuantizeEach;
using small_floats::Element;

// `length` elements side by side: by groups of blocks where the format and the block's size allow, what is left by
// single blocks.
template <FloatType kType, class DF>
HWY_INLINE void RunRow(DF df, const Element<kType>* in, Element<kType>* out, size_t length,
                       const QuantizeDequantizeBlocksArgs& args) {
  constexpr size_t kPart = 256;      // elements, if a block has no more
  const BlockRule rule = args.rule;  // stores cannot change it
  const size_t block = args.block, group = block * hn::Lanes(df);
  const bool grouped = block % hn::Lanes(df) == 0 && usual_blocks::TakesRule(rule);
  const bool direct = args.stream && grouped && kType == FloatType::kF32 && stream::IsAligned(out);
  const bool by_lines = args.stream && !direct && block * sizeof(*out) <= stream::Lines::kMost;
  stream::Lines lines(out);
  size_t i = 0;
  if (grouped && length >= group) {
    const size_t groups = length / group;
    usual_blocks::Run<kType>(df, {in, out, by_lines ? &lines : nullptr, direct, block, groups}, rule);
    i = groups * group;
  }
  const size_t part = by_lines ? std::max<size_t>(1, kPart / block) * block : length;
  for (; i < length; i += part) {
    const size_t n = std::min(part, length - i);
    auto* to = by_lines ? static_cast<Element<kType>*>(lines.next()) : out + i;
    QuantizeEach<kType>(df, in + i, n, block, rule, to);
    if (by_lines) lines.Push(n * sizeof(*out));
  }
  if (by_lines) lines.Finish();
  if (direct) hwy::FlushStream();
}

template <FloatType kType, class DF>
void RunRows(DF df, const QuantizeDequantizeBlocksArgs& args) {
  const auto* in = static_cast<const Element<kType>*>(args.in);
  auto* out = static_cast<Element<kType>*>(args.out);
  if (args.outer_stride == args.length && args.length % args.block == 0) {  // one long row
    return RunRow<kType>(df, in, out, args.outer * args.length, args);
  }
  for (size_t o = 0; o < args.outer; ++o) {
    RunRow<kType>(df, in + o * args.outer_stride, out + o * args.outer_stride, args.length, args);
  }
}

template <FloatType kType>
void RunColumns(const QuantizeDequantizeBlocksArgs& args) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  for (size_t o = 0; o < args.outer; ++o) {
    for (size_t i = 0; i < args.length; i += args.block) {
      const size_t start = o * args.outer_stride + i * args.stride;
      for (size_t c = 0; c < args.width; c += lanes) {
        const Block<false, kType> block = {static_cast<const Element<kType>*>(args.in) + start + c,
                                           static_cast<Element<kType>*>(args.out) + start + c,
                                           std::min(args.block, args.length - i), args.stride, args.width - c};
        QuantizeBlock(df, block, args.rule);
      }
    }
  }
}

template <FloatType kType>
void Run(const QuantizeDequantizeBlocksArgs& args) {
  if (args.stride != 1) {
    RunColumns<kType>(args);
  } else if (args.block <= 8) {
    RunRows<kType>(hn::CappedTag<float, 8>(), args);
  } else {
    RunRows<kType>(hn::CappedTag<float, 16>(), args);
  }
}

}  // namespace quantize_dequantize_blocks

void QuantizeDequantizeBlocks(const QuantizeDequantizeBlocksArgs& args) {
  switch (args.type) {
    case FloatType::kF32:
      return quantize_dequantize_blocks::Run<FloatType::kF32>(args);
    case FloatType::kF16:
      return quantize_dequantize_blocks::Run<FloatType::kF16>(args);
    case FloatType::kBF16:
      return quantize_dequantize_blocks::Run<FloatType::kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeDequantizeBlocksFn>> QuantizeDequantizeBlocksVariants() {
  static const std::vector<Variant<QuantizeDequantizeBlocksFn>> variants =
      Runnable<QuantizeDequantizeBlocksFn>(LQ_VARIANTS(QuantizeDequantizeBlocks));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
