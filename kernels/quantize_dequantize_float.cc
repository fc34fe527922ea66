// Floats -> the nearest values of a small float format, times a scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_float.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <type_traits>

#include "kernels/contracts_float.h"
#include "kernels/float_quotient-inl.h"
#include "kernels/half_steps-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dequantize_float {

using float_quotient::Division;
using round_float::DF32;
using round_float::GridKind;
using round_float::VF32;
using small_floats::Element;

// The same for all elements of a piece.
struct Rounding {
  const FloatGrid& grid;
  Division division;
  bool direct;  // around the caches
};

template <bool kUniform, Division kDivision, GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
HWY_INLINE void RunChunk(const Element<kIn>* in, const ScaleChunk& chunk, const Rounding& rounding,
                         Element<kOut>* out) {
  const DF32 df;
  const size_t lanes = hn::Lanes(df);
  const FloatGrid& grid = rounding.grid;
  VF32 scale = hn::Set(df, *chunk.scale);
  const VF32 inverse = hn::Set(df, 1.0f / *chunk.scale), limit = hn::Set(df, grid.limit);
  const bool overflows = round_float::Overflows(grid);
  // Storing rounds to kOut, which is kRound where that is narrow.
  const auto value = [&](VF32 x) HWY_ATTR {
    const VF32 t = float_quotient::Quotient<kDivision, kRound>(x, scale, inverse, limit);
    return hn::Mul(round_float::RoundToGrid<kKind>(t, x, grid, overflows), scale);
  };
  size_t i = 0;
  if constexpr (kUniform && kIn == kOut) {
    for (; i + 2 * lanes <= chunk.count; i += 2 * lanes) {
      VF32 a, b;
      small_floats::LoadPair<kIn>(df, in + i, a, b);
      small_floats::StorePair<kOut>(df, value(a), value(b), out + i, rounding.direct);
    }
  }
  for (; i < chunk.count; i += lanes) {
    const VF32 x = small_floats::Load<kIn>(df, in + i, chunk.count - i);
    if constexpr (!kUniform) scale = hn::LoadU(df, chunk.scale + i);
    small_floats::Store<kOut>(df, value(x), out + i, chunk.count - i);
  }
}

// kIn, kOut: in memory; kRound: what results are rounded to.
template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
HWY_INLINE void RunAnyChunk(const Element<kIn>* in, const ScaleChunk& chunk, const Rounding& rounding,
                            Element<kOut>* out) {
  using enum Division;
  if (!chunk.uniform) return RunChunk<false, kDivided, kKind, kIn, kOut, kRound>(in, chunk, rounding, out);
  switch (rounding.division) {
    case kDivided:
      return RunChunk<true, kDivided, kKind, kIn, kOut, kRound>(in, chunk, rounding, out);
    case kMultiplied:
      return RunChunk<true, kMultiplied, kKind, kIn, kOut, kRound>(in, chunk, rounding, out);
    case kCorrected:
      if constexpr (kKind == GridKind::kPlain)
        RunChunk<true, kCorrected, kKind, kIn, kOut, kRound>(in, chunk, rounding, out);
  }
}

// Tables for what is read and written as kIn under one scale.
template <FloatType kIn, FloatType kOut, FloatType kRound>
using StepsOf = std::conditional_t<kIn == kOut && kIn != FloatType::kF32 && kRound == FloatType::kF32,
                                   half_steps::Steps<kIn>, half_steps::NoSteps>;

// By steps where they take the elements; what they do not comes with neighbours, as few as are worth a loop, or all
// where it is the first.
template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
HWY_INLINE void RunPiece(const Element<kIn>* in, const ScaleChunk& piece, const Rounding& rounding,
                         const StepsOf<kIn, kOut, kRound>& steps, Element<kOut>* out) {
  constexpr size_t kFew = 128;
  for (size_t i = 0; i < piece.count;) {
    const size_t done = steps.Run(in + i, piece.count - i, out + i, rounding.direct);
    i += done;
    const size_t left = piece.count - i, rest = done == 0 ? left : std::min(left, kFew);
    RunAnyChunk<kKind, kIn, kOut, kRound>(in + i, {i, rest, piece.scale, piece.uniform}, rounding, out + i);
    i += rest;
  }
}

// Whether chunks begin at whole lines of the output. Floats by way of stream::Lines are at a stream's speed anyway.
template <FloatType kIn, FloatType kOut>
bool GoesDirect(const QuantizeDequantizeFloatArgs& args) {
  constexpr size_t kLineElements = 32;
  if (kIn != kOut || kIn == FloatType::kF32 || !args.stream || !stream::IsAligned(args.out)) return false;
  return args.layout.count == 1 || args.layout.run % kLineElements == 0;
}

template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
void Run(const QuantizeDequantizeFloatArgs& args) {
  const auto* in = static_cast<const Element<kIn>*>(args.in);
  auto* out = static_cast<Element<kOut>*>(args.out);
  const FloatGrid grid = args.grid;  // stores through floats could change args
  constexpr size_t kPiece = 128;     // elements: of float, 0.94 of a stream; 256 0.82, 512 0.76
  constexpr size_t kSteps = 512;     // by steps: 0.97; 256 0.87, 128 0.80
  const bool direct = GoesDirect<kIn, kOut>(args), by_lines = args.stream && !direct;
  StepsOf<kIn, kOut, kRound> steps;
  const bool by_steps = args.layout.count == 1 && steps.Fill(*args.layout.scale, grid, args.n);
  stream::Lines lines(out);
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  while (chunks.Next(chunk)) {
    const Rounding rounding = {grid, float_quotient::DivisionOf<kKind, kIn, kRound>(*chunk.scale, grid), direct};
    const size_t end = chunk.begin + chunk.count, most = by_steps ? kSteps : args.stream ? kPiece : chunk.count;
    for (size_t i = chunk.begin; i < end; i += most) {
      const ScaleChunk piece = {i, std::min(most, end - i), chunk.scale, chunk.uniform};
      if (args.stream) stream::PrefetchAhead(in + i, piece.count * sizeof(*in));
      auto* to = by_lines ? static_cast<Element<kOut>*>(lines.next()) : out + i;
      RunPiece<kKind, kIn, kOut, kRound>(in + i, piece, rounding, steps, to);
      if (by_lines) lines.Push(piece.count * sizeof(*out));
    }
  }
  if (by_lines) lines.Finish();
  if (direct) hwy::FlushStream();
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
