#include "kernels/reference/affine.h"

#include <cmath>

#include "kernels/reference/small_floats.h"

namespace lq::reference {
namespace {

using kernels::Arithmetic;

// The result of one operation, computed in binary64, as the type of the arithmetic has it. Two roundings give what one
// would: 53 bits are more than twice the 24 of float, and 24 more than twice the 11 of float16, and two besides.
double In(Arithmetic arithmetic, double exact) {
  switch (arithmetic) {
    case Arithmetic::kF16:
      return RoundToF16(static_cast<float>(exact));
    case Arithmetic::kBF16:
      return RoundToBF16(static_cast<float>(exact));
    case Arithmetic::kF32:
      return static_cast<float>(exact);
    case Arithmetic::kF64:
      break;
  }
  return exact;
}

double F32(double exact) { return In(Arithmetic::kF32, exact); }

// A whole number, infinity or NaN -> a code.
int64_t Saturate(double code, const AffineRule& rule) {
  if (std::isnan(code) || code <= static_cast<double>(rule.qmin)) return rule.qmin;
  if (code >= static_cast<double>(rule.qmax)) return rule.qmax;
  return static_cast<int64_t>(code);
}

// Profile D: divide, round, take the offset off.
double DividedCode(float x, const AffineRule& rule) {
  const Arithmetic a = rule.arithmetic;
  const double quotient = In(a, In(a, double{x}) / double{rule.scale});
  const double shifted = In(a, quotient - double{rule.shift});
  return In(a, std::nearbyint(shifted) - rule.offset);
}

// ONNX: the zero point is added to a whole number that nothing rounds.
double OnnxCode(float x, const AffineRule& rule) {
  const Arithmetic a = rule.arithmetic;
  return std::nearbyint(In(a, In(a, double{x}) / double{rule.scale})) - rule.offset;
}

// Profile F, torch.fake_quantize.
double FakeQuantizeCode(float x, const AffineRule& rule) {
  const double inverse = F32(1.0 / double{rule.scale});
  return F32(std::nearbyint(F32(double{x} * inverse)) - rule.offset);
}

// The first number of profile O's unsigned grid, in units of the scale.
double LowestUnit(const AffineRule& rule) {
  return F32(static_cast<double>(rule.offset + rule.qmin) + double{rule.shift});
}

// Profile O: a whole number of 0..qmax - qmin.
double AimetOnnxUnits(float x, const AffineRule& rule) {
  const double lowest_unit = LowestUnit(rule);
  const double highest_unit = F32(lowest_unit + static_cast<double>(rule.qmax - rule.qmin));
  const double lowest = F32(double{rule.scale} * lowest_unit);
  const double highest = F32(double{rule.scale} * highest_unit);
  double value = std::isnan(x) ? lowest : double{x};
  if (value > highest) value = highest;
  if (value < lowest) value = lowest;
  return std::round(F32(F32(value / double{rule.scale}) - lowest_unit));
}

}  // namespace

int64_t QuantizeElement(float x, const AffineRule& rule) {
  switch (rule.profile) {
    case RoundingProfile::kAimetDiv:
      return Saturate(DividedCode(x, rule), rule);
    case RoundingProfile::kAimetFakequant:
      return Saturate(FakeQuantizeCode(x, rule), rule);
    case RoundingProfile::kAimetOnnx:
      return Saturate(AimetOnnxUnits(x, rule) + static_cast<double>(rule.qmin), rule);
    case RoundingProfile::kOnnx:
      break;
  }
  return Saturate(OnnxCode(x, rule), rule);
}

float DequantizeElement(int64_t q, const AffineRule& rule) {
  const Arithmetic a = rule.arithmetic;
  const double code = In(a, static_cast<double>(q));
  const double origin = In(a, double{rule.shift} + rule.offset);
  const double units = In(a, code + origin);
  return static_cast<float>(In(a, units * double{rule.scale}));
}

float QuantizeDequantizeElement(float x, const AffineRule& rule) {
  AffineRule in_float = rule;
  in_float.arithmetic = Arithmetic::kF32;
  switch (rule.profile) {
    case RoundingProfile::kAimetDiv:
      return std::isnan(x) ? x : DequantizeElement(QuantizeElement(x, rule), rule);
    case RoundingProfile::kAimetFakequant: {
      const double code = FakeQuantizeCode(x, rule);
      const double lowest = F32(static_cast<double>(rule.qmin)), highest = F32(static_cast<double>(rule.qmax));
      const double inside = !(code > lowest) ? lowest : code < highest ? code : highest;
      return static_cast<float>(F32(inside + rule.offset) * double{rule.scale});
    }
    case RoundingProfile::kAimetOnnx:
      return static_cast<float>(double{rule.scale} * F32(AimetOnnxUnits(x, rule) + LowestUnit(rule)));
    case RoundingProfile::kOnnx:
      break;
  }
  return DequantizeElement(QuantizeElement(x, rule), in_float);
}

}  // namespace lq::reference
