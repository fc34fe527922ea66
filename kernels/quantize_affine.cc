// f32 -> codes under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_affine.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/affine_pieces.h"
#include "kernels/contracts.h"
#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_affine {

using quantize::Bounds;
using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

struct Job {
  const float* in;
  AffinePiece piece;
  Bounds bounds;
};

// Codes from element i of the piece on, `left` of them if these are fewer than a vector has. kUniform: factor and
// offset are those of all elements; else each has its own and those passed are not used.
template <RoundingProfile kProfile, bool kUniform>
HWY_INLINE V32 Codes(const Job& job, size_t i, size_t left, VF32 factor, V32 offset) {
  const VF32 x = quantize::LoadUpTo(DF32(), job.in + job.piece.begin + i, left);
  if constexpr (!kUniform) {
    factor = quantize::Factor<kProfile>(quantize::LoadUpTo(DF32(), job.piece.scale + i, left));
    offset = quantize::LoadUpTo(D32(), job.piece.offset + i, left);
  }
  return quantize::ToCodes<kProfile>(x, factor, offset, job.bounds);
}

template <RoundingProfile kProfile, bool kUniform, class T>
HWY_INLINE void QuantizePiece(Job job, T* out) {
  const size_t lanes = hn::Lanes(DF32()), count = job.piece.count;
  const VF32 factor = quantize::Factor<kProfile>(hn::Set(DF32(), *job.piece.scale));
  const V32 offset = hn::Set(D32(), *job.piece.offset);
  T* begin = out + job.piece.begin;
  size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    const V32 v0 = Codes<kProfile, kUniform>(job, i, lanes, factor, offset);
    const V32 v1 = Codes<kProfile, kUniform>(job, i + lanes, lanes, factor, offset);
    const V32 v2 = Codes<kProfile, kUniform>(job, i + 2 * lanes, lanes, factor, offset);
    const V32 v3 = Codes<kProfile, kUniform>(job, i + 3 * lanes, lanes, factor, offset);
    quantize::StoreCodes4(v0, v1, v2, v3, begin + i);
  }
  for (; i < count; i += lanes) {
    const size_t left = count - i;
    quantize::StoreCodes(Codes<kProfile, kUniform>(job, i, left, factor, offset), begin + i, left);
  }
}

template <RoundingProfile kProfile, class T>
void Run(const QuantizeAffineArgs& args) {
  const int32_t qmin = static_cast<int32_t>(args.qmin), qmax = static_cast<int32_t>(args.qmax);
  Job job = {static_cast<const float*>(args.in), {}, {qmin, qmax, qmin, qmax}};
  T* out = static_cast<T*>(args.out);
  AffinePieces pieces(args.layout, args.n);
  if (pieces.uniform()) {
    while (pieces.Next(job.piece)) QuantizePiece<kProfile, true>(job, out);
  } else {
    while (pieces.Next(job.piece)) QuantizePiece<kProfile, false>(job, out);
  }
}

template <RoundingProfile kProfile>
void RunType(const QuantizeAffineArgs& args) {
  switch (args.type) {
    case CodeType::kU8:
      return Run<kProfile, uint8_t>(args);
    case CodeType::kS8:
      return Run<kProfile, int8_t>(args);
    case CodeType::kU16:
      return Run<kProfile, uint16_t>(args);
    case CodeType::kS16:
      return Run<kProfile, int16_t>(args);
    default:
      return;
  }
}

}  // namespace quantize_affine

void QuantizeAffine(const QuantizeAffineArgs& args) {
  switch (args.profile) {
    case RoundingProfile::kAimetDiv:
    case RoundingProfile::kOnnx:
      return quantize_affine::RunType<RoundingProfile::kAimetDiv>(args);
    case RoundingProfile::kAimetFakequant:
      return quantize_affine::RunType<RoundingProfile::kAimetFakequant>(args);
    case RoundingProfile::kAimetOnnx:
      return quantize_affine::RunType<RoundingProfile::kAimetOnnx>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeAffineFn>> QuantizeAffineVariants() {
  static const std::vector<Variant<QuantizeAffineFn>> variants =
      Runnable<QuantizeAffineFn>(LQ_VARIANTS(QuantizeAffine));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
