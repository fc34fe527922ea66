// Per-target: the quantizers as contracts_quantize.h defines them, step by step in lanes of double, each result rounded
// to the arithmetic's type: for scales and grids that the fast rules do not take. A double holds the results of float
// operations exactly enough for that second rounding to give what one would (53 >= 2 * 24 + 2 bits; 24 >= 2 * 11 + 2).

#if defined(LANEQUANT_KERNELS_AFFINE_LITERAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_AFFINE_LITERAL_INL_H_
#undef LANEQUANT_KERNELS_AFFINE_LITERAL_INL_H_
#else
#define LANEQUANT_KERNELS_AFFINE_LITERAL_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/contracts_quantize.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace literal {

using D64 = hn::CappedTag<double, 8>;
using V64 = hn::Vec<D64>;
using DF = hn::Rebind<float, D64>;
using DI = hn::Rebind<int32_t, D64>;

constexpr size_t kBatch = 64;  // what the functions below take at once

// The same for all elements.
struct Grid {
  int64_t qmin, qmax;
  float shift;
  RoundingProfile profile;
};

template <Arithmetic kArithmetic>
HWY_INLINE V64 R(V64 v) {
  if constexpr (kArithmetic == Arithmetic::kF64) return v;
  auto f = hn::DemoteTo(DF(), v);
  if constexpr (kArithmetic == Arithmetic::kF16) f = small_floats::RoundTo<FloatType::kF16>(DF(), f);
  if constexpr (kArithmetic == Arithmetic::kBF16) f = small_floats::RoundTo<FloatType::kBF16>(DF(), f);
  return hn::PromoteTo(D64(), f);
}
HWY_INLINE V64 RF32(V64 v) { return R<Arithmetic::kF32>(v); }

// NaN -> low.
HWY_INLINE V64 Clamp(V64 v, V64 low, V64 high) {
  const V64 larger = hn::IfThenElse(hn::Gt(v, low), v, low);
  return hn::IfThenElse(hn::Lt(larger, high), larger, high);
}

HWY_INLINE V64 FromInt(int64_t v) { return hn::Set(D64(), static_cast<double>(v)); }

// aimet_div, aimet_fakequant, onnx: the code before it is clamped.
template <Arithmetic kArithmetic>
HWY_INLINE V64 Unclamped(V64 x, V64 s, V64 o, const Grid& grid) {
  if (grid.profile == RoundingProfile::kAimetFakequant) {
    const V64 inverse = RF32(hn::Div(hn::Set(D64(), 1.0), s));
    return RF32(hn::Sub(hn::Round(RF32(hn::Mul(x, inverse))), o));
  }
  const V64 t = R<kArithmetic>(hn::Div(R<kArithmetic>(x), s));
  if (grid.profile == RoundingProfile::kOnnx) return hn::Sub(hn::Round(t), o);
  const V64 shifted = R<kArithmetic>(hn::Sub(t, hn::Set(D64(), double{grid.shift})));
  return R<kArithmetic>(hn::Sub(hn::Round(shifted), o));
}

// aimet_onnx: the unit that counting starts from, and the whole number of units above it.
HWY_INLINE V64 FirstUnit(V64 o, const Grid& grid) {
  return RF32(hn::Add(o, hn::Set(D64(), static_cast<double>(grid.qmin) + double{grid.shift})));
}
HWY_INLINE V64 UnitsUp(V64 x, V64 s, V64 first, const Grid& grid) {
  const D64 d;
  const V64 last = RF32(hn::Add(first, FromInt(grid.qmax - grid.qmin)));
  const V64 lowest = RF32(hn::Mul(s, first)), highest = RF32(hn::Mul(s, last));
  V64 v = hn::IfThenElse(hn::IsNaN(x), lowest, x);
  v = hn::IfThenElse(hn::Gt(v, highest), highest, v);
  v = hn::IfThenElse(hn::Lt(v, lowest), lowest, v);
  const V64 t = RF32(hn::Sub(RF32(hn::Div(v, s)), first));
  // Halves away from zero: t is a float, to which a double adds 1/2 without an error that counts.
  return hn::CopySign(hn::Floor(hn::Add(hn::Abs(t), hn::Set(d, 0.5))), t);
}

template <Arithmetic kArithmetic>
HWY_INLINE V64 Code(V64 x, V64 s, V64 o, const Grid& grid) {
  const V64 code = grid.profile == RoundingProfile::kAimetOnnx
                       ? hn::Add(UnitsUp(x, s, FirstUnit(o, grid), grid), FromInt(grid.qmin))
                       : Unclamped<kArithmetic>(x, s, o, grid);
  return Clamp(code, FromInt(grid.qmin), FromInt(grid.qmax));
}

template <Arithmetic kArithmetic>
HWY_INLINE V64 CodeValue(V64 q, V64 s, V64 o, float shift) {
  const V64 origin = R<kArithmetic>(hn::Add(o, hn::Set(D64(), double{shift})));
  return R<kArithmetic>(hn::Mul(R<kArithmetic>(hn::Add(R<kArithmetic>(q), origin)), s));
}

template <Arithmetic kArithmetic>
HWY_INLINE V64 Rounded(V64 x, V64 s, V64 o, const Grid& grid) {
  switch (grid.profile) {
    case RoundingProfile::kAimetDiv:
      break;
    case RoundingProfile::kAimetFakequant: {
      const V64 low = RF32(FromInt(grid.qmin)), high = RF32(FromInt(grid.qmax));
      const V64 code = Clamp(Unclamped<kArithmetic>(x, s, o, grid), low, high);
      return hn::Mul(RF32(hn::Add(code, o)), s);
    }
    case RoundingProfile::kAimetOnnx: {
      const V64 first = FirstUnit(o, grid);
      return hn::Mul(RF32(hn::Add(UnitsUp(x, s, first, grid), first)), s);
    }
    case RoundingProfile::kOnnx:
      return CodeValue<Arithmetic::kF32>(Code<kArithmetic>(x, s, o, grid), s, o, grid.shift);
  }
  const V64 y = CodeValue<kArithmetic>(Code<kArithmetic>(x, s, o, grid), s, o, grid.shift);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// ---- Batches. All arrays hold kBatch elements, 64-byte aligned; what is behind the caller's has any value.
// ------------

template <class D>
HWY_INLINE V64 Promoted(D d, const hn::TFromD<D>* p) {
  return hn::PromoteTo(D64(), hn::Load(d, p));
}

template <Arithmetic kArithmetic>
HWY_NOINLINE void Codes(const float* x, const float* scale, const int32_t* offset, const Grid& grid, int32_t* codes) {
  for (size_t i = 0; i < kBatch; i += hn::Lanes(D64())) {
    const V64 code =
        Code<kArithmetic>(Promoted(DF(), x + i), Promoted(DF(), scale + i), Promoted(DI(), offset + i), grid);
    hn::Store(hn::DemoteTo(DI(), code), DI(), codes + i);
  }
}

template <Arithmetic kArithmetic>
HWY_NOINLINE void Values(const int32_t* codes, const float* scale, const int32_t* offset, float shift, float* y) {
  for (size_t i = 0; i < kBatch; i += hn::Lanes(D64())) {
    const V64 v =
        CodeValue<kArithmetic>(Promoted(DI(), codes + i), Promoted(DF(), scale + i), Promoted(DI(), offset + i), shift);
    hn::Store(hn::DemoteTo(DF(), v), DF(), y + i);
  }
}

template <Arithmetic kArithmetic>
HWY_NOINLINE void RoundedValues(const float* x, const float* scale, const int32_t* offset, const Grid& grid, float* y) {
  for (size_t i = 0; i < kBatch; i += hn::Lanes(D64())) {
    const V64 v =
        Rounded<kArithmetic>(Promoted(DF(), x + i), Promoted(DF(), scale + i), Promoted(DI(), offset + i), grid);
    hn::Store(hn::DemoteTo(DF(), v), DF(), y + i);
  }
}

// By the arithmetic of a call.
HWY_INLINE void Codes(Arithmetic arithmetic, const float* x, const float* scale, const int32_t* offset,
                      const Grid& grid, int32_t* codes) {
  switch (arithmetic) {
    case Arithmetic::kF32:
      return Codes<Arithmetic::kF32>(x, scale, offset, grid, codes);
    case Arithmetic::kF16:
      return Codes<Arithmetic::kF16>(x, scale, offset, grid, codes);
    case Arithmetic::kBF16:
      return Codes<Arithmetic::kBF16>(x, scale, offset, grid, codes);
    case Arithmetic::kF64:
      return Codes<Arithmetic::kF64>(x, scale, offset, grid, codes);
  }
}

HWY_INLINE void Values(Arithmetic arithmetic, const int32_t* codes, const float* scale, const int32_t* offset,
                       float shift, float* y) {
  switch (arithmetic) {
    case Arithmetic::kF32:
      return Values<Arithmetic::kF32>(codes, scale, offset, shift, y);
    case Arithmetic::kF16:
      return Values<Arithmetic::kF16>(codes, scale, offset, shift, y);
    case Arithmetic::kBF16:
      return Values<Arithmetic::kBF16>(codes, scale, offset, shift, y);
    case Arithmetic::kF64:
      return Values<Arithmetic::kF64>(codes, scale, offset, shift, y);
  }
}

HWY_INLINE void RoundedValues(Arithmetic arithmetic, const float* x, const float* scale, const int32_t* offset,
                              const Grid& grid, float* y) {
  switch (arithmetic) {
    case Arithmetic::kF32:
      return RoundedValues<Arithmetic::kF32>(x, scale, offset, grid, y);
    case Arithmetic::kF16:
      return RoundedValues<Arithmetic::kF16>(x, scale, offset, grid, y);
    case Arithmetic::kBF16:
      return RoundedValues<Arithmetic::kBF16>(x, scale, offset, grid, y);
    case Arithmetic::kF64:
      return RoundedValues<Arithmetic::kF64>(x, scale, offset, grid, y);
  }
}

}  // namespace literal

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_AFFINE_LITERAL_INL_H_
