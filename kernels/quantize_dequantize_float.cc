// Floats -> the nearest values of a small float format, times a scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_float.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/contracts_float.h"
#include "kernels/float_quotient-inl.h"
#include "kernels/float_runs-inl.h"
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
      if (kIn == FloatType::kF32 && rounding.direct) stream::PrefetchAhead(in + i, 2 * lanes * sizeof(*in));
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

// Whether chunks begin at whole lines of the output.
template <FloatType kIn, FloatType kOut>
bool GoesDirect(const QuantizeDequantizeFloatArgs& args) {
  constexpr size_t kLineElements = 32;
  if (kIn != kOut || !args.stream || !stream::IsAligned(args.out)) return false;
  return args.layout.count == 1 || args.layout.run % kLineElements == 0;
}

// Runs of whole pairs of vectors, all of them complete.
template <FloatType kType>
void RunGroups(const QuantizeDequantizeFloatArgs& args, const float_runs::Rounding& rounding) {
  constexpr size_t kPiece = 128;  // elements that are worth a push
  const auto* in = static_cast<const Element<kType>*>(args.in);
  auto* out = static_cast<Element<kType>*>(args.out);
  const AffineLayout layout = args.layout;
  const size_t run = layout.run, all = args.n / run;
  const bool by_lines = args.stream && !rounding.around;
  const size_t most = by_lines ? std::max<size_t>(1, kPiece / run) : float_runs::kGroup;
  affine::RunScales divisors;
  stream::Lines lines(out);
  for (size_t done = 0, first = 0; done < all;) {
    const size_t group = std::min({float_runs::kGroup, layout.count - first, all - done});
    const bool in_range = float_runs::Fill(layout.scale + first, group, rounding.grid.limit, divisors);
    const bool exact = in_range && float_quotient::MayCorrect(rounding.grid);
    for (size_t k = 0; k < group; k += most) {
      const size_t runs = std::min(most, group - k), i = (done + k) * run;
      auto* to = by_lines ? static_cast<Element<kType>*>(lines.next()) : out + i;
      const float_runs::Runs<kType> job = {in + i, run, k, runs, to};
      exact ? float_runs::RunAll<true>(job, divisors, rounding) : float_runs::RunAll<false>(job, divisors, rounding);
      if (by_lines) lines.Push(runs * run * sizeof(*out));
    }
    done += group;
    first = first + group == layout.count ? 0 : first + group;
  }
  if (by_lines) lines.Finish();
  if (rounding.around) hwy::FlushStream();
}

// Rows of elements with a scale each. False: nothing done, as one of the scales is not for it.
template <FloatType kType>
bool RunRows(const QuantizeDequantizeFloatArgs& args, const float_runs::Rounding& rounding) {
  constexpr size_t kPiece = 128;  // elements that are worth a push
  const auto* in = static_cast<const Element<kType>*>(args.in);
  auto* out = static_cast<Element<kType>*>(args.out);
  const size_t row = args.layout.count;
  float_runs::Row divisors;
  if (!divisors.Fill(args.layout.scale, std::min(row, args.n))) return false;
  const bool by_lines = args.stream && !rounding.around;
  stream::Lines lines(out);
  for (size_t i = 0, at = 0; i < args.n;) {
    const size_t n = std::min({by_lines ? kPiece : row, row - at, args.n - i});
    divisors.Run<kType>(in + i, n, at, rounding, by_lines ? static_cast<Element<kType>*>(lines.next()) : out + i);
    if (by_lines) lines.Push(n * sizeof(*out));
    i += n;
    at = at + n == row ? 0 : at + n;
  }
  if (by_lines) lines.Finish();
  if (rounding.around) hwy::FlushStream();
  return true;
}

// Layouts with loops of their own. False: nothing done.
template <FloatType kType>
bool RunShortRuns(const QuantizeDequantizeFloatArgs& args, const FloatGrid& grid) {
  const AffineLayout& layout = args.layout;
  if (layout.count == 1) return false;
  float_runs::Rounding rounding = {grid, round_float::Overflows(grid), args.stream, GoesDirect<kType, kType>(args)};
  if (layout.run == 1) {
    const bool whole_lines = kType == FloatType::kF32 && layout.count % 16 == 0 && stream::IsAligned(args.out);
    rounding.around = args.stream && whole_lines;
    constexpr size_t kShortRow = 64;
    if (layout.count < kShortRow || layout.count > float_runs::Row::kMost) return false;
    return float_quotient::MayCorrect(grid) && RunRows<kType>(args, rounding);
  }
  if (layout.run % float_runs::kPair != 0 || layout.run > ScaleChunks::kMost || args.n % layout.run != 0) return false;
  RunGroups<kType>(args, rounding);
  return true;
}

// Elements in front of the first whole line of the output, without which it may go around the caches.
template <FloatType kIn, FloatType kOut>
size_t HeadOf(const QuantizeDequantizeFloatArgs& args) {
  constexpr size_t kLine = 64, kSize = sizeof(Element<kOut>);
  const size_t past = reinterpret_cast<uintptr_t>(args.out) % kLine;
  if (kIn != kOut || !args.stream || args.layout.count != 1 || past % kSize != 0) return 0;
  return std::min(args.n, (kLine - past) % kLine / kSize);
}

// All but what has loops of its own.
template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
void RunChunks(const QuantizeDequantizeFloatArgs& args, const FloatGrid& grid) {
  const auto* in = static_cast<const Element<kIn>*>(args.in);
  auto* out = static_cast<Element<kOut>*>(args.out);
  constexpr size_t kPiece = 128;  // elements: of float by way of stream::Lines, 0.94 of a stream; 256 0.82, 512 0.76
  constexpr size_t kSteps = 512;  // by steps: 0.97; 256 0.87, 128 0.80
  static_assert(ScaleChunks::kSpread <= kPiece);  // only uniform chunks are cut
  const bool direct = GoesDirect<kIn, kOut>(args), by_lines = args.stream && !direct;
  const bool in_pieces = args.stream && !(direct && kIn == FloatType::kF32);
  StepsOf<kIn, kOut, kRound> steps;
  const bool by_steps = args.layout.count == 1 && steps.Fill(*args.layout.scale, grid, args.n);
  stream::Lines lines(out);
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  while (chunks.Next(chunk)) {
    const Rounding rounding = {grid, float_quotient::DivisionOf<kKind, kIn, kRound>(*chunk.scale, grid), direct};
    const size_t end = chunk.begin + chunk.count, most = by_steps ? kSteps : in_pieces ? kPiece : chunk.count;
    for (size_t i = chunk.begin; i < end; i += most) {
      const ScaleChunk piece = {i, std::min(most, end - i), chunk.scale, chunk.uniform};
      if (in_pieces) stream::PrefetchAhead(in + i, piece.count * sizeof(*in));
      auto* to = by_lines ? static_cast<Element<kOut>*>(lines.next()) : out + i;
      RunPiece<kKind, kIn, kOut, kRound>(in + i, piece, rounding, steps, to);
      if (by_lines) lines.Push(piece.count * sizeof(*out));
    }
  }
  if (by_lines) lines.Finish();
  if (direct) hwy::FlushStream();
}

template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
void Run(const QuantizeDequantizeFloatArgs& args) {
  const FloatGrid grid = args.grid;  // stores through floats could change args
  if constexpr (kKind == GridKind::kPlain && kIn == kOut && kRound == FloatType::kF32) {
    if (RunShortRuns<kIn>(args, grid)) return;
  }
  const size_t head = HeadOf<kIn, kOut>(args);
  QuantizeDequantizeFloatArgs rest = args;
  if (head != 0) {
    rest.n = head, rest.stream = false;
    RunChunks<kKind, kIn, kOut, kRound>(rest, grid);
    rest = args;
    rest.in = static_cast<const Element<kIn>*>(args.in) + head;
    rest.out = static_cast<Element<kOut>*>(args.out) + head;
    rest.n = args.n - head;
  }
  RunChunks<kKind, kIn, kOut, kRound>(rest, grid);
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
