// Floats -> codes of a small float format.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_float.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts_float.h"
#include "kernels/float_codes-inl.h"
#include "kernels/float_quotient-inl.h"
#include "kernels/float_runs-inl.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/saturated_codes-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_float {

using float_codes::D16;
using float_codes::V16;
using float_quotient::Division;
using round_float::DF32;
using round_float::GridKind;
using round_float::PowerBits;
using round_float::VF32;
using small_floats::Element;
using D32 = hn::RebindToSigned<DF32>;
using V32 = hn::Vec<D32>;

constexpr size_t kPast = 64;  // stores go that far past the last code of a chunk

// The code of r, a value of the grid, infinity or NaN, in any format.
HWY_INLINE V32 CodeOf(VF32 r, const FloatGrid& grid, const FloatCode& code) {
  const DF32 df;
  const D32 di;
  const V32 magnitude = round_float::MagnitudeBits(df, r);
  // Float and code have the same fields: an exponent of another bias, then the mantissa.
  const V32 rebias = hn::Set(di, (127 - code.bias) << 23);
  const V32 normal = hn::ShiftRightSame(hn::Sub(magnitude, rebias), 23 - grid.mantissa_bits);
  // Below the smallest normal value codes count steps.
  const VF32 step = hn::BitCast(df, hn::Set(di, PowerBits(grid.min_exponent - grid.mantissa_bits)));
  const V32 subnormal = hn::ConvertTo(di, hn::Div(hn::Abs(r), step));
  V32 result = hn::IfThenElse(hn::Lt(magnitude, hn::Set(di, PowerBits(grid.min_exponent))), subnormal, normal);
  const V32 infinity = hn::Set(di, round_float::kExponentBits);
  result = hn::IfThenElse(hn::Eq(magnitude, infinity), hn::Set(di, code.special), result);
  result = hn::IfThenElse(hn::Gt(magnitude, infinity), hn::Set(di, code.nan), result);
  const V32 sign = hn::ShiftRightSame(hn::And(hn::BitCast(di, r), hn::Set(di, INT32_MIN)),
                                      31 - code.exponent_bits - grid.mantissa_bits);
  const V32 sign_bit = hn::Set(di, 1 << (code.exponent_bits + grid.mantissa_bits));
  return hn::Or(result, hn::And(sign, sign_bit));
}

HWY_INLINE V16 CodesOf(VF32 low, VF32 high, const QuantizeFloatArgs& args) {
  const DF32 df;
  const hn::RebindToUnsigned<DF32> du;
  if (HWY_LIKELY(float_codes::FitsFloat16(args.code))) {
    const VF32 factor = hn::BitCast(df, hn::Set(D32(), PowerBits(args.code.bias - 15)));
    const auto low_half = small_floats::Narrow<FloatType::kF16>(df, hn::Mul(low, factor));
    const auto high_half = small_floats::Narrow<FloatType::kF16>(df, hn::Mul(high, factor));
    return float_codes::FromFloat16(hn::Combine(D16(), high_half, low_half), args.grid.mantissa_bits, args.code);
  }
  return hn::OrderedTruncate2To(D16(), hn::BitCast(du, CodeOf(low, args.grid, args.code)),
                                hn::BitCast(du, CodeOf(high, args.grid, args.code)));
}

// x / s on the grid, where no 0 is added with the sign of x: zeros lose theirs in Division::kCorrected.
template <Division kDivision, FloatType kRound>
HWY_INLINE VF32 Rounded(VF32 x, VF32 scale, VF32 inverse, const QuantizeFloatArgs& args) {
  const DF32 df;
  if (args.code.nan == 0) x = hn::IfThenElse(hn::IsNaN(x), hn::Inf(df), x);  // becomes the limit
  VF32 t = float_quotient::Quotient<kDivision, kRound>(x, scale, inverse, hn::Set(df, args.grid.limit));
  if (args.zero_point) x = t = hn::Add(t, hn::Zero(df));
  return round_float::RoundToGrid<GridKind::kPlain>(t, x, args.grid, round_float::Overflows(args.grid));
}

// Writes whole vectors: `codes` has room for them. Not inlined, so that what does not change stays in registers.
template <bool kUniform, Division kDivision, FloatType kIn, FloatType kRound>
HWY_NOINLINE void RunChunk(const QuantizeFloatArgs& shared_args, const ScaleChunk& chunk, uint8_t* codes) {
  const QuantizeFloatArgs args = shared_args;  // stores cannot change it
  const DF32 df;
  const hn::Rebind<uint8_t, D16> d8;
  const size_t lanes = hn::Lanes(df);
  const auto* in = static_cast<const Element<kIn>*>(args.in) + chunk.begin;
  VF32 scale = hn::Set(df, *chunk.scale), next_scale = scale;
  const VF32 inverse = hn::Set(df, 1.0f / *chunk.scale);
  for (size_t i = 0; i < chunk.count; i += 2 * lanes) {
    const size_t left = chunk.count - i;
    if (args.stream) stream::PrefetchAhead(in + i, 2 * lanes * sizeof(*in));
    const VF32 x = small_floats::Load<kIn>(df, in + i, left);
    VF32 next = hn::Zero(df);
    if (left > lanes) next = small_floats::Load<kIn>(df, in + i + lanes, left - lanes);
    if constexpr (!kUniform) {
      scale = hn::LoadU(df, chunk.scale + i);
      next_scale = hn::LoadU(df, chunk.scale + i + lanes);
    }
    const V16 code = CodesOf(Rounded<kDivision, kRound>(x, scale, inverse, args),
                             Rounded<kDivision, kRound>(next, next_scale, inverse, args), args);
    hn::StoreU(hn::TruncateTo(d8, code), d8, codes + i);
  }
}

// A zero_point takes the sign of quotients that are 0: of none but those of 0 where scales are up to 1/2.
HWY_INLINE bool KeepsSigns(const QuantizeFloatArgs& args, const float* scales, size_t n) {
  return !args.zero_point || std::all_of(scales, scales + n, [](float s) { return s <= 0.5f; });
}

// What it can of a chunk with one scale; how much that is.
template <FloatType kIn>
HWY_NOINLINE size_t RunSaturated(const QuantizeFloatArgs& args, const saturated_codes::Magics& magics,
                                 const ScaleChunk& chunk, uint8_t* codes) {
  const auto* in = static_cast<const Element<kIn>*>(args.in) + chunk.begin;
  if (args.zero_point) return saturated_codes::Run<kIn, true>(args, magics, in, chunk.count, *chunk.scale, codes);
  return saturated_codes::Run<kIn, false>(args, magics, in, chunk.count, *chunk.scale, codes);
}

template <FloatType kIn, FloatType kRound>
HWY_INLINE void RunAnyChunk(const QuantizeFloatArgs& args, const saturated_codes::Magics& magics, ScaleChunk chunk,
                            uint8_t* codes) {
  using enum Division;
  if constexpr (kRound == FloatType::kF32) {
    const float scale = *chunk.scale;
    const Division division = float_quotient::DivisionOf<GridKind::kPlain, FloatType::kF32, kRound>(scale, args.grid);
    const bool keeps_signs = KeepsSigns(args, &scale, 1);
    if (chunk.uniform && division != kDivided && keeps_signs && saturated_codes::TakesFormat(args.grid)) {
      const size_t done = RunSaturated<kIn>(args, magics, chunk, codes);
      if (done == chunk.count) return;
      chunk = {chunk.begin + done, chunk.count - done, chunk.scale, true};
      codes += done;
    }
    if (chunk.uniform && division == kCorrected && keeps_signs)
      return RunChunk<true, kCorrected, kIn, kRound>(args, chunk, codes);
    if (chunk.uniform && division == kMultiplied) return RunChunk<true, kMultiplied, kIn, kRound>(args, chunk, codes);
  }
  if (chunk.uniform) return RunChunk<true, kDivided, kIn, kRound>(args, chunk, codes);
  RunChunk<false, kDivided, kIn, kRound>(args, chunk, codes);
}

// `codes`: of elements begin .. begin + n - 1, ScaleChunks::kMost bytes; `begin` is a multiple of that.
HWY_INLINE void Write(const QuantizeFloatArgs& args, uint8_t* codes, size_t begin, size_t n, stream::Lines& lines) {
  const size_t bytes = args.packed ? (n + 1) / 2 : n;
  auto* out = args.stream ? static_cast<uint8_t*>(lines.next()) : args.out + (args.packed ? begin / 2 : begin);
  if (args.packed) {
    packed_codes::Pack(codes, n, 4, out);
  } else if (codes != out) {
    std::memcpy(out, codes, n);
  }
  if (args.stream) lines.Push(bytes);
}

// Up to float_runs::kGroup whole runs, whose scales begin at group.scale.
template <FloatType kIn>
HWY_INLINE void RunGroup(const QuantizeFloatArgs& args, const saturated_codes::Magics& magics, ScaleChunk group,
                         uint8_t* codes) {
  const size_t run = args.layout.run;
  const auto* in = static_cast<const Element<kIn>*>(args.in) + group.begin;
  affine::RunScales divisors;
  size_t done = 0;
  const size_t runs = group.count / run;
  if (KeepsSigns(args, group.scale, runs) && float_runs::Fill(group.scale, runs, args.grid.limit, divisors)) {
    done = args.zero_point ? saturated_codes::RunRuns<kIn, true>(args, magics, in, group.count, divisors, codes)
                           : saturated_codes::RunRuns<kIn, false>(args, magics, in, group.count, divisors, codes);
  }
  for (; done < group.count; done += run) {
    RunAnyChunk<kIn, FloatType::kF32>(args, magics, {group.begin + done, run, group.scale + done / run, true},
                                      codes + done);
  }
}

template <FloatType kIn>
void RunGroups(const QuantizeFloatArgs& args) {
  constexpr size_t kMost = ScaleChunks::kMost;
  const AffineLayout layout = args.layout;
  const saturated_codes::Magics magics(args.grid);
  stream::Lines lines(args.out);
  alignas(64) uint8_t buffer[kMost + kPast] = {};
  for (size_t begin = 0, first = 0; begin < args.n; begin += kMost) {
    const size_t count = std::min(kMost, args.n - begin);
    auto* const codes = args.stream && !args.packed ? static_cast<uint8_t*>(lines.next()) : buffer;
    for (size_t at = 0; at < count;) {
      const size_t runs = std::min({float_runs::kGroup, layout.count - first, (count - at) / layout.run});
      RunGroup<kIn>(args, magics, {begin + at, runs * layout.run, layout.scale + first, false}, codes + at);
      at += runs * layout.run;
      first = first + runs == layout.count ? 0 : first + runs;
    }
    Write(args, codes, begin, count, lines);
  }
  if (args.stream) lines.Finish();
}

// Rows of whole groups of vectors, whose elements have a scale each. False: nothing done, as one of them is not for it.
template <FloatType kIn>
bool RunRows(const QuantizeFloatArgs& args) {
  constexpr size_t kMost = ScaleChunks::kMost;
  const size_t row = args.layout.count;
  float_runs::Row divisors;
  if (!KeepsSigns(args, args.layout.scale, row) || !divisors.Fill(args.layout.scale, row)) return false;
  const saturated_codes::Magics magics(args.grid);
  const auto* in = static_cast<const Element<kIn>*>(args.in);
  stream::Lines lines(args.out);
  alignas(64) uint8_t buffer[kMost + kPast] = {};
  for (size_t begin = 0, k = 0; begin < args.n; begin += kMost) {
    const size_t count = std::min(kMost, args.n - begin);
    auto* const codes = args.stream && !args.packed ? static_cast<uint8_t*>(lines.next()) : buffer;
    for (size_t at = 0, n; at < count; at += n, k = k + n == row ? 0 : k + n) {
      n = std::min(row - k, count - at);
      const auto* from = in + begin + at;
      const size_t done = args.zero_point
                              ? saturated_codes::RunRow<kIn, true>(args, magics, from, n, divisors, k, codes + at)
                              : saturated_codes::RunRow<kIn, false>(args, magics, from, n, divisors, k, codes + at);
      if (done == n) continue;
      const ScaleChunk chunk = {begin + at, n, args.layout.scale + k, false};
      RunChunk<false, Division::kDivided, kIn, FloatType::kF32>(args, chunk, codes + at);
    }
    Write(args, codes, begin, count, lines);
  }
  if (args.stream) lines.Finish();
  return true;
}

// Layouts with loops of their own. False: nothing done.
template <FloatType kIn>
bool RunShortRuns(const QuantizeFloatArgs& args) {
  const size_t count = args.layout.count, run = args.layout.run;
  const bool fast = saturated_codes::TakesFormat(args.grid) && float_quotient::MayCorrect(args.grid);
  if (count == 1 || !fast || args.n % run != 0) return false;
  if (run == 1) {
    constexpr size_t kFour = 4 * hn::MaxLanes(DF32());
    const bool whole = count % kFour == 0 && args.n % kFour == 0 && count <= float_runs::Row::kMost;
    return whole && RunRows<kIn>(args);
  }
  if (ScaleChunks::kMost % run != 0 || !saturated_codes::TakesRun(run)) return false;
  RunGroups<kIn>(args);
  return true;
}

template <FloatType kIn, FloatType kRound>
void Run(const QuantizeFloatArgs& args) {
  if constexpr (kRound == FloatType::kF32) {
    if (RunShortRuns<kIn>(args)) return;
  }
  constexpr size_t kMost = ScaleChunks::kMost;
  static_assert(kMost % packed_codes::kGroup == 0 && kMost + kPast <= stream::Lines::kMost);
  const saturated_codes::Magics magics(args.grid);
  stream::Lines lines(args.out);
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  alignas(64) uint8_t buffer[kMost + kPast] = {};
  while (chunks.Next(chunk)) {
    auto* const codes = args.stream && !args.packed ? static_cast<uint8_t*>(lines.next()) : buffer;
    const size_t at = chunk.begin % kMost, end = at + chunk.count;
    RunAnyChunk<kIn, kRound>(args, magics, chunk, codes + at);
    if (end == kMost || chunk.begin + chunk.count == args.n) Write(args, codes, chunk.begin - at, end, lines);
  }
  if (args.stream) lines.Finish();
}

}  // namespace quantize_float

void QuantizeFloat(const QuantizeFloatArgs& args) {
  using enum FloatType;
  const bool in_float = args.arithmetic == Arithmetic::kF32;
  switch (args.in_type) {
    case kF32:
      return quantize_float::Run<kF32, kF32>(args);
    case kF16:
      return in_float ? quantize_float::Run<kF16, kF32>(args) : quantize_float::Run<kF16, kF16>(args);
    case kBF16:
      return in_float ? quantize_float::Run<kBF16, kF32>(args) : quantize_float::Run<kBF16, kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeFloatFn>> QuantizeFloatVariants() {
  static const std::vector<Variant<QuantizeFloatFn>> variants = Runnable<QuantizeFloatFn>(LQ_VARIANTS(QuantizeFloat));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
