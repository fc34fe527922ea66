// Per-target: blocks of the usual formats (no sub-blocks, ties to even) by groups.

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
  return rule.ties == TieRounding::kEven && rule.sub_block == 1 && rule.zero_below == 0 && !rule.to_bfloat16 &&
         rule.carry > std::numeric_limits<float>::max();
}

// Groups of blocks, a multiple of the vector's lanes each, one after the other.
template <FloatType kType>
struct Job {
  const Element<kType>* in;
  Element<kType>* out;
  stream::Lines* lines;  // null: results go to `out` itself
  size_t block, groups;
};

// What block_groups::RunGroups runs. kSigned: the sign of x stays with every zero.
template <bool kSigned, FloatType kType, class DF>
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

  template <class Between>
  HWY_INLINE void Quantize(size_t g, const Between& between) {
    const DF df;
    const BlockRule rule = rule_;  // stores cannot change it: its numbers stay in registers
    const size_t lanes = hn::Lanes(df), block = job_.block;
    for (size_t k = 0; k < lanes; ++k) {
      between(k);
      const auto to_units = hn::Set(df, down_[g % 2][k]), from_units = hn::Set(df, up_[g % 2][k]);
      const Element<kType>* in = job_.in + (g * lanes + k) * block;
      Element<kType>* out = Out(g * lanes + k);
      for (size_t i = 0; i < block; i += lanes) {
        const auto x = small_floats::Load<kType>(df, in + i, lanes);
        const auto t = hn::Mul(x, to_units);
        const auto rounded =
            round_float::RoundToStep(df, t, round_float::ExponentBits(df, t), rule.min_exponent, rule.mantissa_bits);
        auto y = hn::Mul(block_step::BoundElement(df, rounded, rule), from_units);
        y = kSigned ? hn::Or(y, hn::And(x, hn::SignBit(df))) : block_step::WithSignOfZero(df, y, x, rule);
        small_floats::Store<kType>(df, y, out + i, lanes);
      }
      Push();
    }
  }

  void QuantizeSpecial(size_t g) {
    const size_t lanes = hn::Lanes(DF());
    for (size_t k = g * lanes; k < (g + 1) * lanes; ++k) {
      single_block::QuantizeEach<kType>(DF(), job_.in + k * job_.block, job_.block, job_.block, rule_, Out(k));
      Push();
    }
  }

 private:
  HWY_INLINE Element<kType>* Out(size_t block) const {
    return job_.lines != nullptr ? static_cast<Element<kType>*>(job_.lines->next()) : job_.out + block * job_.block;
  }
  HWY_INLINE void Push() const {
    if (job_.lines != nullptr) job_.lines->Push(job_.block * sizeof(Element<kType>));
  }

  const Job<kType> job_;
  const BlockRule rule_;
  HWY_ALIGN float down_[2][kMaxLanes], up_[2][kMaxLanes];  // 2^-g and 2^g of the blocks
};

template <FloatType kType, class DF>
HWY_INLINE void Run(DF df, const Job<kType>& job, const BlockRule& rule) {
  if (block_step::KeepsAllSigns(rule)) {
    Groups<true, kType, DF> kernel(job, rule);
    block_groups::RunGroups<kType>(df, job.in, job.block, job.groups, kernel);
  } else {
    Groups<false, kType, DF> kernel(job, rule);
    block_groups::RunGroups<kType>(df, job.in, job.block, job.groups, kernel);
  }
}

}  // namespace usual_blocks

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_USUAL_BLOCKS_INL_H_
