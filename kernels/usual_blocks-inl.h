// Per-target: blocks of the usual formats (no sub-blocks) by groups.

#if defined(LANEQUANT_KERNELS_USUAL_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_USUAL_BLOCKS_INL_H_
#undef LANEQUANT_KERNELS_USUAL_BLOCKS_INL_H_
#else
#define LANEQUANT_KERNELS_USUAL_BLOCKS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/block_groups-inl.h"
#include "kernels/block_step-inl.h"
#include "kernels/contracts_float.h"
#include "kernels/single_block-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace usual_blocks {

using block_groups::kMaxLanes;
using block_step::DI;
using block_step::VI;
using small_floats::Element;

inline bool TakesRule(const BlockRule& rule) {
  return rule.sub_block == 1 && rule.zero_below == 0 && !rule.to_bfloat16 &&
         rule.carry > std::numeric_limits<float>::max();
}

// Groups of blocks, a multiple of the vector's lanes each, one after the other.
template <FloatType kType>
struct Job {
  const Element<kType>* in;
  Element<kType>* out;
  stream::Lines* lines;  // null: results go to `out` itself
  bool direct;           // and around the caches; it is aligned
  size_t block, groups;
};

// What block_groups::RunGroups runs. kSigned: the sign of x stays with every zero. kBlock: the block's size where it is
// known, which saves a fifth of the time of blocks of two vectors; else 0.
template <bool kSigned, size_t kBlock, FloatType kType, class DF>
class Groups {
 public:
  Groups(const Job<kType>& job, const BlockRule& rule) : job_(job), rule_(rule) {}

  // False where a block has an infinity, NaN or a step near the ends of the range of float.
  HWY_INLINE bool Prepare(VI<DF> largest, size_t g) {
    const DF df;
    const DI<DF> di;
    const auto step = block_step::LimitStep(df, block_step::StepOf(df, largest, rule_), rule_);
    hn::Store(block_step::Power(df, hn::Neg(step)), df, down_[g % 2]);
    hn::Store(block_step::Power(df, step), df, up_[g % 2]);
    const auto finite = hn::Lt(largest, hn::Set(di, round_float::kExponentBits));
    const auto normal = hn::And(hn::Ge(step, hn::Set(di, -126)), hn::Le(step, hn::Set(di, 126)));
    return hn::AllTrue(di, hn::And(finite, normal));
  }

  // Not inlined: g++ 12 would keep the rule's numbers on the stack, half as fast.
  template <class Between>
  HWY_NOINLINE void Quantize(size_t g, Between between) {
    const DF df;
    const size_t lanes = hn::Lanes(df), block = kBlock != 0 ? kBlock : job_.block;
    const size_t step = block * sizeof(Element<kType>) < kPiece ? 4 : 1;  // blocks
    const Element<kType>* in = job_.in + g * lanes * block;
    const BlockRule rule = rule_;  // stores cannot change it: its numbers stay in registers
    const bool direct = job_.direct;
    for (size_t first = 0; first < lanes; first += step) {
      Element<kType>* out = Out(g * lanes + first);
      for (size_t k = first; k < first + step; ++k, in += block, out += block) {
        between(k);
        const auto to_units = hn::Set(df, down_[g % 2][k]), from_units = hn::Set(df, up_[g % 2][k]);
        HWY_UNROLL(2)
        for (size_t i = 0; i < block; i += lanes) {
          const auto x = small_floats::Load<kType>(df, in + i, lanes);
          Write(Quantized(x, to_units, from_units, rule), direct, out + i);
        }
      }
      Push(step);
    }
  }

  void QuantizeSpecial(size_t g) {
    const size_t lanes = hn::Lanes(DF());
    for (size_t k = g * lanes; k < (g + 1) * lanes; ++k) {
      single_block::QuantizeEach<kType>(DF(), job_.in + k * job_.block, job_.block, job_.block, rule_, Out(k));
      Push(1);
    }
  }

 private:
  static constexpr size_t kPiece = 512;  // bytes that are worth a Push

  HWY_INLINE Element<kType>* Out(size_t block) const {
    return job_.lines != nullptr ? static_cast<Element<kType>*>(job_.lines->next()) : job_.out + block * job_.block;
  }
  HWY_INLINE void Push(size_t blocks) const {
    if (job_.lines != nullptr) job_.lines->Push(blocks * job_.block * sizeof(Element<kType>));
  }

  using V = hn::Vec<DF>;

  static HWY_INLINE V Quantized(V x, V to_units, V from_units, const BlockRule& rule) {
    const DF df;
    const V rounded = block_step::RoundElement(df, hn::Mul(x, to_units), rule);
    // 0 is added to make every zero positive, but does not count where that is not asked for.
    const V y = hn::MulAdd(block_step::BoundElement(df, rounded, rule), from_units, hn::Zero(df));
    if constexpr (kSigned) return hn::Or(y, hn::And(x, hn::SignBit(df)));
    return rule.sign_from <= rule.sign_to ? block_step::WithSignOfZero(df, y, x, rule) : y;
  }

  static HWY_INLINE void Write(V y, bool direct, Element<kType>* out) {
    const DF df;
    if constexpr (kType == FloatType::kF32) {
      if (direct) return hn::Stream(y, df, out);
    }
    small_floats::Store<kType>(df, y, out, hn::Lanes(df));
  }

  const Job<kType> job_;
  const BlockRule rule_;
  HWY_ALIGN float down_[2][kMaxLanes], up_[2][kMaxLanes];  // 2^-g and 2^g of the blocks
};

template <bool kSigned, size_t kBlock, FloatType kType, class DF>
HWY_INLINE void RunSize(DF df, const Job<kType>& job, const BlockRule& rule) {
  Groups<kSigned, kBlock, kType, DF> kernel(job, rule);
  const size_t block = kBlock != 0 ? kBlock : job.block;
  block_groups::RunGroups<kType, kBlock>(df, job.in, block, job.groups, job.direct || job.lines != nullptr, kernel);
}

template <FloatType kType, class DF>
HWY_INLINE void Run(DF df, const Job<kType>& job, const BlockRule& rule) {
  // The block of all MX formats, where vectors are the widest.
  constexpr size_t kMx = kType == FloatType::kF32 && HWY_MAX_LANES_D(DF) == HWY_MAX_LANES_D(round_float::DF32) ? 32 : 0;
  const bool is_signed = block_step::KeepsAllSigns(rule);
  if (kMx != 0 && job.block == kMx) {
    is_signed ? RunSize<true, kMx>(df, job, rule) : RunSize<false, kMx>(df, job, rule);
  } else {
    is_signed ? RunSize<true, 0>(df, job, rule) : RunSize<false, 0>(df, job, rule);
  }
}

}  // namespace usual_blocks

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_USUAL_BLOCKS_INL_H_
