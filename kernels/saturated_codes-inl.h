// Per-target: floats -> codes of small float formats in which nothing overflows, straight from the bits of a sum.
//
// With t = |x / s|, within the limit, e the exponent of t, emin at least, and m mantissa bits: adding 1.5 * 2^23 steps
// of that exponent to t leaves the whole number q of steps in the low bits, ties to even. The code is (e - emin) * 2^m
// + q: codes below 2^(m+1) count steps of the smallest exponent, each further exponent is 2^m codes on, and a q that
// rounds up to 2^(m+1) goes on to the next exponent by itself. So e may be that of a quotient that is a little off,
// too: where it is another one, t is as near to a power of two, whose code both give.

#if defined(LANEQUANT_KERNELS_SATURATED_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
#undef LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/affine_scales-inl.h"
#include "kernels/contracts_float.h"
#include "kernels/exact_division-inl.h"
#include "kernels/float_runs-inl.h"
#include "kernels/round_float-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace saturated_codes {

using round_float::DF32;
using round_float::VF32;
using D32 = hn::RebindToUnsigned<DF32>;
using V32 = hn::Vec<D32>;

constexpr int kExponents = 32;  // of the values of a format, at most

HWY_INLINE bool TakesFormat(const FloatGrid& grid) {
  const auto exponent = static_cast<int>(hwy::BitCastScalar<uint32_t>(grid.limit) >> 23) - 127;
  const bool few = exponent - grid.min_exponent < kExponents;
  return few && !round_float::Overflows(grid) && !grid.unsigned_zero;
}

// What is added to quotients whose exponent, biased, is `exponent`: the first term of the code with it. That is even,
// so that ties go where they should.
constexpr uint32_t Magic(const FloatGrid& grid, int exponent) {
  const int least = grid.min_exponent + 127, e = exponent > least ? exponent : least;
  const auto steps = static_cast<uint32_t>(round_float::MagicBits(grid.mantissa_bits));
  return (static_cast<uint32_t>(e) << 23) + steps + (static_cast<uint32_t>(e - least) << grid.mantissa_bits);
}

// Magic for a vector of quotients.
#undef LQ_MAGIC_TABLE
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define LQ_MAGIC_TABLE 1
#else
#define LQ_MAGIC_TABLE 0
#endif
#if LQ_MAGIC_TABLE
// By a table of all exponents.
class Magics {
 public:
  explicit Magics(const FloatGrid& grid) : least_(static_cast<uint32_t>(round_float::PowerBits(grid.min_exponent))) {
    const int least = grid.min_exponent + 127;
    for (int e = least; e < least + kExponents; ++e) table_[e % kExponents] = Magic(grid, e);
  }
  HWY_INLINE V32 operator()(V32 quotient) const {
    const D32 d;
    const V32 row = hn::ShiftRight<23>(hn::Max(quotient, hn::Set(d, least_)));
    return V32{_mm512_permutex2var_epi32(hn::Load(d, table_).raw, row.raw, hn::Load(d, table_ + 16).raw)};
  }

 private:
  uint32_t least_;
  alignas(64) uint32_t table_[kExponents];
};
#else
class Magics {
 public:
  explicit Magics(const FloatGrid& grid)
      : least_(static_cast<uint32_t>(round_float::PowerBits(grid.min_exponent))),
        shift_(23 - grid.mantissa_bits),
        magic_(Magic(grid, 0) - least_ - (least_ >> shift_)) {}
  HWY_INLINE V32 operator()(V32 quotient) const {
    const D32 d;
    const V32 exponent = hn::And(quotient, hn::Set(d, uint32_t{round_float::kExponentBits}));
    const V32 e = hn::Max(exponent, hn::Set(d, least_));
    return hn::Add(hn::Add(e, hn::Set(d, magic_)), hn::ShiftRightSame(e, shift_));
  }

 private:
  uint32_t least_;
  int shift_;
  uint32_t magic_;
};
#endif

using D16 = hn::Repartition<uint16_t, D32>;
using D8 = hn::Repartition<uint8_t, D32>;

// |x|, but `limit` for what is more, infinities and NaN.
HWY_INLINE VF32 Inside(VF32 x, VF32 limit) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  constexpr int kSmallerMagnitude = 0b1010;
  return VF32{_mm512_range_ps(x.raw, limit.raw, kSmallerMagnitude)};
#else
  const V32 magnitude = hn::BitCast(D32(), hn::Abs(x));
  return hn::BitCast(DF32(), hn::Min(magnitude, hn::BitCast(D32(), limit)));
#endif
}

// The upper halves of two vectors.
HWY_INLINE hn::Vec<D16> UpperHalves(VF32 a, VF32 b) {
  return hn::ConcatOdd(D16(), hn::BitCast(D16(), b), hn::BitCast(D16(), a));
}

// Writes the codes of the first of n elements, whose scales exact_division-inl.h takes. Returns how many: a multiple of
// four vectors, or 0 if one of them is infinite or NaN. divisor_of(i, v, use) calls use(scale, inverse, limit) for the
// v-th vector of the four from i on; scale and inverse are VF32 or exact_division::Broadcast.
// kZeroPoint: 0 is added, which takes the sign of -0. Signs come from the bytes that hold them: shuffles, of which the
// loop has few, instead of arithmetic, of which it has much.
template <FloatType kIn, bool kZeroPoint, class DivisorOf>
HWY_INLINE size_t RunEach(const QuantizeFloatArgs& args, const Magics& shared_magics,
                          const small_floats::Element<kIn>* in, size_t n, const DivisorOf& divisor_of, uint8_t* out) {
  const DF32 df;
  const D32 d;
  const D16 d16;
  const D8 d8;
  const size_t lanes = hn::Lanes(df), done = n / (4 * lanes) * (4 * lanes);
  const int bits = args.code.exponent_bits + args.grid.mantissa_bits;
  const Magics magics = shared_magics;
  const auto unsigned_bits = hn::Set(d8, static_cast<uint8_t>((1 << bits) - 1));
  const auto sign_bit = hn::Set(d8, static_cast<uint8_t>(1 << bits));
  const bool ahead = args.stream;  // stores cannot change these copies
  auto largest = hn::Zero(d16);
  const auto load = [&](size_t i) HWY_ATTR {
    const VF32 x = small_floats::Load<kIn>(df, in + i, lanes);
    return kZeroPoint ? hn::Add(x, hn::Zero(df)) : x;
  };
  const auto code = [&](VF32 x, size_t i, size_t v) HWY_ATTR {  // of the magnitude, in the low byte
    return divisor_of(i, v, [&](const auto& scale, const auto& inverse, VF32 limit) HWY_ATTR {
      const VF32 inside = Inside(x, limit);
      const VF32 nearly = hn::Mul(inside, exact_division::Get(inverse));  // on the way to the quotient
      const VF32 magic = hn::BitCast(df, magics(hn::BitCast(d, nearly)));
      return hn::BitCast(d, hn::Add(exact_division::Quotient(inside, scale, inverse), magic));
    });
  };
  for (size_t i = 0; i < done; i += 4 * lanes) {
    if (ahead) stream::PrefetchAhead(in + i, 4 * lanes * sizeof(*in));
    const VF32 x0 = load(i), x1 = load(i + lanes), x2 = load(i + 2 * lanes), x3 = load(i + 3 * lanes);
    const auto upper01 = UpperHalves(x0, x1), upper23 = UpperHalves(x2, x3);
    largest = hn::Max(largest, hn::Max(hn::Add(upper01, upper01), hn::Add(upper23, upper23)));
    const auto signs = hn::ConcatOdd(d8, hn::BitCast(d8, upper23), hn::BitCast(d8, upper01));
    // Of a byte's neighbour nothing comes as far as its sign.
    const auto moved = hn::BitCast(d8, hn::ShiftRightSame(hn::BitCast(d16, signs), 7 - bits));
    const auto low = hn::OrderedTruncate2To(d16, code(x0, i, 0), code(x1, i, 1));
    const auto high = hn::OrderedTruncate2To(d16, code(x2, i, 2), code(x3, i, 3));
    const auto magnitudes = hn::And(hn::OrderedTruncate2To(d8, low, high), unsigned_bits);
    hn::StoreU(hn::OrAnd(magnitudes, moved, sign_bit), d8, out + i);
  }
  constexpr uint16_t kInfinity = 0x7F80;  // the upper half of it
  return hn::AllTrue(d16, hn::Lt(largest, hn::Set(d16, uint16_t{2 * kInfinity}))) ? done : 0;
}

// One scale.
template <FloatType kIn, bool kZeroPoint>
HWY_INLINE size_t Run(const QuantizeFloatArgs& args, const Magics& magics, const small_floats::Element<kIn>* in,
                      size_t n, float scale, uint8_t* out) {
  const DF32 df;
  const VF32 scales = hn::Set(df, scale), inverses = hn::Set(df, 1.0f / scale);
  const VF32 limits = hn::Set(df, args.grid.limit * scale);
  const auto divisor_of = [&](size_t, size_t, const auto& use) HWY_ATTR { return use(scales, inverses, limits); };
  return RunEach<kIn, kZeroPoint>(args, magics, in, n, divisor_of, out);
}

// Runs of two vectors, or of a multiple of four.
HWY_INLINE bool TakesRun(size_t run) {
  const size_t lanes = hn::Lanes(DF32());
  return run == 2 * lanes || run % (4 * lanes) == 0;
}

// Whole runs with a scale each, those of `divisors`.
template <FloatType kIn, bool kZeroPoint>
HWY_INLINE size_t RunRuns(const QuantizeFloatArgs& args, const Magics& magics, const small_floats::Element<kIn>* in,
                          size_t n, const affine::RunScales& divisors, uint8_t* out) {
  const size_t pair = 2 * hn::Lanes(DF32()), run = args.layout.run;
  const auto at = [&](size_t k, const auto& use)
                      HWY_ATTR { return use(divisors.AtScale(k), divisors.AtInverse(k), divisors.High(k)); };
  if (run == pair) {
    const auto divisor_of = [&](size_t i, size_t v, const auto& use) HWY_ATTR { return at(i / pair + v / 2, use); };
    return RunEach<kIn, kZeroPoint>(args, magics, in, n, divisor_of, out);
  }
  for (size_t k = 0; k * run < n; ++k) {
    const auto divisor_of = [&](size_t, size_t, const auto& use) HWY_ATTR { return at(k, use); };
    const size_t i = k * run;
    if (RunEach<kIn, kZeroPoint>(args, magics, in + i, run, divisor_of, out + i) == 0) return i;
  }
  return n;
}

// Elements with a scale each, the first of them that of scale `at`.
template <FloatType kIn, bool kZeroPoint>
HWY_INLINE size_t RunRow(const QuantizeFloatArgs& args, const Magics& magics, const small_floats::Element<kIn>* in,
                         size_t n, const float_runs::Row& row, size_t at, uint8_t* out) {
  const VF32 limit = hn::Set(DF32(), args.grid.limit);
  const auto divisor_of = [&](size_t i, size_t v, const auto& use) HWY_ATTR {
    const size_t k = at + i + v * hn::Lanes(DF32());
    return use(row.Scale(k), row.Inverse(k), hn::Mul(row.Scale(k), limit));
  };
  return RunEach<kIn, kZeroPoint>(args, magics, in, n, divisor_of, out);
}

}  // namespace saturated_codes

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_SATURATED_CODES_INL_H_
