// Floats -> the nearest values of a small float format, times a scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_float.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/contracts_float.h"
#include "kernels/exact_division-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dequantize_float {

using round_float::DF32;
using round_float::GridKind;
using round_float::VF32;
using small_floats::Element;

// How a chunk divides by its one scale s.
enum class Division {
  kDivided,
  kMultiplied,  // by 1 / s, exact: s is a power of two, such as the 1 of quantizers that are not calibrated
  kCorrected,   // exact_division-inl.h
};

// exact_division-inl.h gives up bits below 2^-26, which here are far below half a step, 2^-25 at least. x is clamped
// before the division instead of after it: that moves a quotient at the limit by 2^-24 of itself, and rounding takes it
// to the limit, a value of the grid with few digits, all the same.
template <GridKind kKind, FloatType kRound>
Division DivisionOf(float scale, const FloatGrid& grid) {
  if (scale < exact_division::kSmallestDivisor || scale > exact_division::kLargestDivisor) return Division::kDivided;
  if ((hwy::BitCastScalar<uint32_t>(scale) & 0x7FFFFF) == 0) return Division::kMultiplied;
  if (kKind != GridKind::kPlain || kRound == FloatType::kBF16) return Division::kDivided;
  const bool corrected = grid.limit <= 0x1p22f && grid.min_exponent - grid.mantissa_bits >= -24;
  return corrected ? Division::kCorrected : Division::kDivided;
}

// R(x / s), within the limit.
template <Division kDivision, FloatType kRound>
HWY_INLINE VF32 Quotient(VF32 x, VF32 scale, VF32 inverse, VF32 limit) {
  const DF32 df;
  if constexpr (kDivision == Division::kCorrected) {
    const VF32 inside = round_float::Limit(x, hn::Mul(limit, scale));
    return small_floats::RoundTo<kRound>(df, exact_division::Quotient(inside, scale, inverse));
  } else {
    const VF32 t = kDivision == Division::kMultiplied ? hn::Mul(x, inverse) : hn::Div(x, scale);
    return round_float::Limit(small_floats::RoundTo<kRound>(df, t), limit);
  }
}

template <bool kUniform, Division kDivision, GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
HWY_INLINE void RunChunk(const Element<kIn>* in, const ScaleChunk& chunk, const FloatGrid& grid, Element<kOut>* out) {
  const DF32 df;
  VF32 scale = hn::Set(df, *chunk.scale);
  const VF32 inverse = hn::Set(df, 1.0f / *chunk.scale), limit = hn::Set(df, grid.limit);
  for (size_t i = 0; i < chunk.count; i += hn::Lanes(df)) {
    const VF32 x = small_floats::Load<kIn>(df, in + i, chunk.count - i);
    if constexpr (!kUniform) scale = hn::LoadU(df, chunk.scale + i);
    const VF32 t = Quotient<kDivision, kRound>(x, scale, inverse, limit);
    // Storing rounds to kOut, which is kRound where that is narrow.
    const VF32 y = hn::Mul(round_float::RoundToGrid<kKind>(t, x, grid), scale);
    small_floats::Store<kOut>(df, y, out + i, chunk.count - i);
  }
}

// kIn, kOut: in memory; kRound: what results are rounded to.
template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
HWY_INLINE void RunAnyChunk(const Element<kIn>* in, const ScaleChunk& chunk, const FloatGrid& grid,
                            Element<kOut>* out) {
  using enum Division;
  if (!chunk.uniform) return RunChunk<false, kDivided, kKind, kIn, kOut, kRound>(in, chunk, grid, out);
  switch (DivisionOf<kKind, kRound>(*chunk.scale, grid)) {
    case kDivided:
      return RunChunk<true, kDivided, kKind, kIn, kOut, kRound>(in, chunk, grid, out);
    case kMultiplied:
      return RunChunk<true, kMultiplied, kKind, kIn, kOut, kRound>(in, chunk, grid, out);
    case kCorrected:
      if constexpr (kKind == GridKind::kPlain)
        RunChunk<true, kCorrected, kKind, kIn, kOut, kRound>(in, chunk, grid, out);
  }
}

template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
void Run(const QuantizeDequantizeFloatArgs& args) {
  const auto* in = static_cast<const Element<kIn>*>(args.in);
  auto* out = static_cast<Element<kOut>*>(args.out);
  const FloatGrid grid = args.grid;  // stores through floats could change args
  alignas(64) Element<kOut> buffer[ScaleChunks::kMost];
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  while (chunks.Next(chunk)) {
    const size_t end = chunk.begin + chunk.count, in_buffer = chunk.begin % ScaleChunks::kMost;
    Element<kOut>* to = args.stream ? buffer + in_buffer : out + chunk.begin;
    RunAnyChunk<kKind, kIn, kOut, kRound>(in + chunk.begin, chunk, grid, to);
    if (args.stream && (end % ScaleChunks::kMost == 0 || end == args.n)) {
      stream::Copy(buffer, out + chunk.begin - in_buffer, (in_buffer + chunk.count) * sizeof(*buffer));
    }
  }
  if (args.stream) hwy::FlushStream();
}

template <FloatType kIn, FloatType kOut>
void RunInFloat(const QuantizeDequantizeFloatArgs& args) {
  if (args.grid.is_bfloat16) return Run<GridKind::kBFloat16, kIn, kOut, FloatType::kF32>(args);
  return Run<GridKind::kPlain, kIn, kOut, FloatType::kF32>(args);
}

template <FloatType kType>
void RunInOwnType(const QuantizeDequantizeFloatArgs& args) {
  if (args.grid.is_bfloat16) return Run<GridKind::kBFloat16, kType, kType, kType>(args);
  if (args.grid.carry != nullptr) return Run<GridKind::kCarried, kType, kType, kType>(args);
  return Run<GridKind::kPlain, kType, kType, kType>(args);
}

template <FloatType kType>
void RunHalf(const QuantizeDequantizeFloatArgs& args) {
  if (args.arithmetic != Arithmetic::kF32) return RunInOwnType<kType>(args);
  if (args.out_type == FloatType::kF32) return RunInFloat<kType, FloatType::kF32>(args);
  return RunInFloat<kType, kType>(args);
}

}  // namespace quantize_dequantize_float

void QuantizeDequantizeFloat(const QuantizeDequantizeFloatArgs& args) {
  switch (args.in_type) {
    case FloatType::kF32:
      return quantize_dequantize_float::RunInFloat<FloatType::kF32, FloatType::kF32>(args);
    case FloatType::kF16:
      return quantize_dequantize_float::RunHalf<FloatType::kF16>(args);
    case FloatType::kBF16:
      return quantize_dequantize_float::RunHalf<FloatType::kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeDequantizeFloatFn>> QuantizeDequantizeFloatVariants() {
  static const std::vector<Variant<QuantizeDequantizeFloatFn>> variants =
      Runnable<QuantizeDequantizeFloatFn>(LQ_VARIANTS(QuantizeDequantizeFloat));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
