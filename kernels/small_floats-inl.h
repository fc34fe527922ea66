// Per-target: float16 and bfloat16 in memory <-> vectors of float, rounding to nearest even, subnormals kept.

#if defined(LANEQUANT_KERNELS_SMALL_FLOATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_SMALL_FLOATS_INL_H_
#undef LANEQUANT_KERNELS_SMALL_FLOATS_INL_H_
#else
#define LANEQUANT_KERNELS_SMALL_FLOATS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/contracts_quantize.h"
#include "kernels/quantize-inl.h"

// g++ 12 loads a vector once for each use unless its value is opaque. Costs no instruction.
#undef LQ_OPAQUE
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE2 && HWY_COMPILER_GCC_ACTUAL
#define LQ_OPAQUE(v) asm("" : "+v"((v).raw))
#else
#define LQ_OPAQUE(v) (void)(v)
#endif

// Whether some CPUs of the target round to bfloat16 in one instruction, AVX512_BF16: kernels ask HasBF16() once.
#undef LQ_MAY_HAVE_BF16
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#define LQ_MAY_HAVE_BF16 1
#else
#define LQ_MAY_HAVE_BF16 0
#endif

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace small_floats {

// How an element stands in memory.
template <FloatType kType>
struct InMemory {
  using T = uint16_t;
};
template <>
struct InMemory<FloatType::kF32> {
  using T = float;
};
template <FloatType kType>
using Element = typename InMemory<kType>::T;

// The bits of a float, rounded to bfloat16: its upper half is the result. NaN, quiet as every result of arithmetic is,
// stays what it is: the carry of rounding could make it infinite.
template <class DF, class DU = hn::RebindToUnsigned<DF>>
HWY_INLINE hn::Vec<DU> RoundedBF16(DF, hn::Vec<DF> v) {
  const DU du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto is_number = hn::RebindMask(du, hn::Not(hn::IsNaN(v)));
  return hn::MaskedAddOr(bits, is_number, bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
}

// The upper halves of floats that are not NaN, rounded by what the lower ones hold.
template <class D16>
HWY_INLINE hn::Vec<D16> RoundedHalves(D16 d16, hn::Vec<D16> high, hn::Vec<D16> low) {
  const auto half = hn::Sub(hn::Set(d16, 0x8000), hn::And(high, hn::Set(d16, 1)));  // less by 1 where a tie goes up
  return hn::MaskedAddOr(high, hn::Gt(low, half), high, hn::Set(d16, 1));
}

// Highway 1.2 has conversions of float16 for all targets, but where the CPU has none, infinities and NaN become
// numbers: these targets take the integer operations below.
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR || (HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2)
constexpr bool kHasF16 = false;
#else
constexpr bool kHasF16 = true;
#endif

// 16 bits in each 32-bit lane -> float. The exponent moves by 127 - 15, that of infinities and NaN by twice as much;
// subnormals are multiples of 2^-24.
template <class DF, class DU = hn::RebindToUnsigned<DF>>
HWY_INLINE hn::Vec<DF> FloatsOfF16(DF df, hn::Vec<DU> bits) {
  const DU du;
  const hn::RebindToSigned<DF> di;
  const auto magnitude = hn::And(bits, hn::Set(du, 0x7FFF));
  const auto moved = hn::Add(hn::ShiftLeft<13>(magnitude), hn::Set(du, 112u << 23));
  const auto special = hn::Add(moved, hn::Set(du, 112u << 23));
  const auto small = hn::Mul(hn::ConvertTo(df, hn::BitCast(di, magnitude)), hn::Set(df, 0x1p-24f));
  auto value = hn::IfThenElse(hn::Gt(magnitude, hn::Set(du, 0x7BFF)), special, moved);
  value = hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 0x400)), hn::BitCast(du, small), value);
  return hn::BitCast(df, hn::Or(value, hn::ShiftLeft<16>(hn::AndNot(hn::Set(du, 0x7FFF), bits))));
}

// The other way. The addition to 1/2, whose last place is 2^-24, rounds what becomes subnormal.
template <class DF, class DU = hn::RebindToUnsigned<DF>>
HWY_INLINE hn::Vec<DU> F16OfFloats(DF df, hn::Vec<DF> v) {
  const DU du;
  const auto bits = hn::BitCast(du, v), magnitude = hn::And(bits, hn::Set(du, 0x7FFFFFFF));
  const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(du, 1));
  const auto rounded = hn::ShiftRight<13>(hn::Add(magnitude, hn::Add(odd, hn::Set(du, 0xFFF))));
  const auto normal = hn::Sub(rounded, hn::Set(du, 112 << 10));
  const auto small =
      hn::Sub(hn::BitCast(du, hn::Add(hn::BitCast(df, magnitude), hn::Set(df, 0.5f))), hn::Set(du, 0x3F000000));
  const auto infinite = hn::Set(du, 0x7C00), quiet = hn::Set(du, 0x7E00);
  auto result = hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 0x38800000)), small, normal);  // below 2^-14
  result = hn::IfThenElse(hn::Gt(magnitude, hn::Set(du, 0x477FFFFF)), infinite, result);    // 2^16 and more
  result = hn::IfThenElse(hn::Gt(magnitude, hn::Set(du, 0x7F800000)), quiet, result);
  return hn::Or(result, hn::ShiftRight<16>(hn::AndNot(hn::Set(du, 0x7FFFFFFF), bits)));
}

template <FloatType kType, class DF>
HWY_INLINE hn::Vec<DF> Widen(DF df, hn::Vec<hn::Rebind<uint16_t, DF>> bits) {
  if constexpr (kType == FloatType::kF16 && !kHasF16) {
    return FloatsOfF16(df, hn::PromoteTo(hn::RebindToUnsigned<DF>(), bits));
  } else if constexpr (kType == FloatType::kF16) {
    return hn::PromoteTo(df, hn::BitCast(hn::Rebind<hwy::float16_t, DF>(), bits));
  } else {
    return hn::BitCast(df, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<DF>(), bits)));
  }
}

template <FloatType kType, class DF>
HWY_INLINE hn::Vec<hn::Rebind<uint16_t, DF>> Narrow(DF df, hn::Vec<DF> v) {
  const hn::Rebind<uint16_t, DF> d16;
  if constexpr (kType == FloatType::kF16 && !kHasF16) {
    return hn::TruncateTo(d16, F16OfFloats(df, v));
  } else if constexpr (kType == FloatType::kF16) {
    return hn::BitCast(d16, hn::DemoteTo(hn::Rebind<hwy::float16_t, DF>(), v));
  } else {
    return hn::TruncateTo(d16, hn::ShiftRight<16>(RoundedBF16(df, v)));
  }
}

// The nearest value of the type, as a float.
template <FloatType kType, class DF>
HWY_INLINE hn::Vec<DF> RoundTo(DF df, hn::Vec<DF> v) {
  if constexpr (kType == FloatType::kF32) return v;
  if constexpr (kType == FloatType::kF16) return Widen<kType>(df, Narrow<kType>(df, v));
  if constexpr (kType == FloatType::kBF16) {
    const hn::RebindToUnsigned<DF> du;
    return hn::BitCast(df, hn::And(RoundedBF16(df, v), hn::Set(du, 0xFFFF0000u)));
  }
}

// A vector, or its first `left` lanes if these are fewer.
template <FloatType kType, class DF>
HWY_INLINE hn::Vec<DF> Load(DF df, const Element<kType>* p, size_t left) {
  const hn::Rebind<Element<kType>, DF> d;
  const auto v = quantize::LoadUpTo(d, p, left);
  if constexpr (kType == FloatType::kF32) {
    return v;
  } else {
    return Widen<kType>(df, v);
  }
}

template <FloatType kType, class DF>
HWY_INLINE void Store(DF df, hn::Vec<DF> v, Element<kType>* p, size_t left) {
  const hn::Rebind<Element<kType>, DF> d;
  if constexpr (kType == FloatType::kF32) {
    quantize::StoreUpTo(v, d, p, left);
  } else {
    quantize::StoreUpTo(Narrow<kType>(df, v), d, p, left);
  }
}

// Two vectors in an order that StorePair knows: for work that is the same in all lanes. bfloat16 needs no shuffle so.
template <FloatType kType, class DF>
HWY_INLINE void LoadPair(DF df, const Element<kType>* p, hn::Vec<DF>& a, hn::Vec<DF>& b) {
  if constexpr (kType == FloatType::kBF16) {
    const hn::RebindToUnsigned<DF> du;
    auto pairs = hn::BitCast(du, hn::LoadU(hn::Repartition<uint16_t, DF>(), p));
    LQ_OPAQUE(pairs);
    a = hn::BitCast(df, hn::ShiftLeft<16>(pairs));
    b = hn::BitCast(df, hn::And(pairs, hn::Set(du, 0xFFFF0000u)));
  } else {
    a = Load<kType>(df, p, hn::Lanes(df));
    b = Load<kType>(df, p + hn::Lanes(df), hn::Lanes(df));
  }
}

// Around the caches if `stream`: p is then aligned to two vectors.
template <class D>
HWY_INLINE void StoreOrStream(D d, hn::Vec<D> v, hn::TFromD<D>* p, bool stream) {
  if (stream) {
    hn::Stream(v, d, p);
  } else {
    hn::StoreU(v, d, p);
  }
}

// NaN must be of those that LoadPair gives, or the CPU's own: their low half is 0, so that they are not rounded.
template <FloatType kType, class DF>
HWY_INLINE void StorePair(DF df, hn::Vec<DF> a, hn::Vec<DF> b, Element<kType>* p, bool stream = false) {
  const hn::Repartition<uint16_t, DF> d16;
  if constexpr (kType == FloatType::kF32) {
    StoreOrStream(df, a, p, stream);
    StoreOrStream(df, b, p + hn::Lanes(df), stream);
  } else if constexpr (kType == FloatType::kBF16) {
    const hn::RebindToUnsigned<DF> du;
    const auto even = hn::BitCast(du, a), odd = hn::BitCast(du, b), upper = hn::Set(du, 0xFFFF0000u);
    const auto high = hn::OrAnd(hn::ShiftRight<16>(even), odd, upper);
    const auto low = hn::Or(hn::ShiftLeft<16>(odd), hn::AndNot(upper, even));
    StoreOrStream(d16, RoundedHalves(d16, hn::BitCast(d16, high), hn::BitCast(d16, low)), p, stream);
  } else if constexpr (HWY_MAX_LANES_D(DF) == 16) {  // joining them takes longer
    const hn::Rebind<uint16_t, DF> half;
    StoreOrStream(half, Narrow<kType>(df, a), p, stream);
    StoreOrStream(half, Narrow<kType>(df, b), p + hn::Lanes(df), stream);
  } else {
    StoreOrStream(d16, hn::Combine(d16, Narrow<kType>(df, b), Narrow<kType>(df, a)), p, stream);
  }
}

#if LQ_MAY_HAVE_BF16
inline bool HasBF16() {
  // Once: it asks the CPU, which takes 20 us in a virtual machine.
  static const bool has = (hwy::SupportedTargets() & (HWY_AVX3_ZEN4 | HWY_AVX3_SPR)) != 0;
  return has;
}
#endif

// The lanes of a, then those of b, as bfloat16; what is subnormal may become 0. Where HasBF16().
template <class DF, class D16 = hn::Repartition<uint16_t, DF>>
HWY_INLINE hn::Vec<D16> BF16OfBoth(DF df, hn::Vec<DF> a, hn::Vec<DF> b) {
#if LQ_MAY_HAVE_BF16
  static_assert(HWY_MAX_LANES_D(DF) == 16);
  (void)df;
  hn::Vec<D16> v;
  asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(v.raw) : "v"(a.raw), "v"(b.raw));
  return v;
#else
  return hn::Combine(D16(), Narrow<FloatType::kBF16>(df, b), Narrow<FloatType::kBF16>(df, a));
#endif
}

// What StorePair does, where HasBF16().
template <class DF>
HWY_INLINE void StorePairAsBF16(DF df, hn::Vec<DF> a, hn::Vec<DF> b, uint16_t* p, bool stream) {
  const hn::Repartition<uint16_t, DF> d16;
  alignas(64) static constexpr uint16_t kFrom[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const auto order = hn::IndicesFromVec(d16, hn::Load(d16, kFrom));
  StoreOrStream(d16, hn::TableLookupLanes(BF16OfBoth(df, a, b), order), p, stream);
}

// Two vectors, in order, past the caches if `stream`: p is then aligned to a vector. No NaN.
template <FloatType kType, class DF>
HWY_INLINE void StoreNumbers(DF df, hn::Vec<DF> a, hn::Vec<DF> b, Element<kType>* p, bool stream) {
  const hn::Repartition<uint16_t, DF> d16;
  if constexpr (kType == FloatType::kBF16) {
    const auto first = hn::BitCast(d16, a), second = hn::BitCast(d16, b);
    const auto high = hn::ConcatOdd(d16, second, first), low = hn::ConcatEven(d16, second, first);
    StoreOrStream(d16, RoundedHalves(d16, high, low), p, stream);
  } else {
    StorePair<kType>(df, a, b, p, stream);
  }
}

// Whole arrays.
template <FloatType kType>
HWY_INLINE void ToFloats(const Element<kType>* in, size_t n, float* out) {
  const hn::CappedTag<float, 16> df;
  for (size_t i = 0; i < n; i += hn::Lanes(df)) {
    Store<FloatType::kF32>(df, Load<kType>(df, in + i, n - i), out + i, n - i);
  }
}

template <FloatType kType>
HWY_INLINE void FromFloats(const float* in, size_t n, Element<kType>* out) {
  const hn::CappedTag<float, 16> df;
  for (size_t i = 0; i < n; i += hn::Lanes(df)) {
    Store<kType>(df, Load<FloatType::kF32>(df, in + i, n - i), out + i, n - i);
  }
}

}  // namespace small_floats

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_SMALL_FLOATS_INL_H_
