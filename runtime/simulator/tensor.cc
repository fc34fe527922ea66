#include "runtime/simulator/tensor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/reference/reference.h"

namespace lq::simulator {
namespace {

reference::Rounded QuantizeElement(const SimTensor& x, size_t i, const PerTensor& to, RoundingProfile profile) {
  switch (x.kind) {
    case Kind::kF32:
      return reference::QuantizeF32(x.f32[i], to.grid, to.scale, to.offset, profile);
    case Kind::kReal:
      return reference::QuantizeReal(x.real[i], to.grid, to.scale, to.offset, profile);
    case Kind::kCoded:
      break;
  }
  if (x.encoding == to) return {x.w[i] - int64_t{to.offset}, static_cast<double>(x.w[i])};
  return reference::QuantizeCoded(x.w[i], x.encoding.scale, to.grid, to.scale, to.offset, profile);
}

// Distance from a tie, in codes, within which a float32 simulator may round the other way.
double NearTie(const SimTensor& x, size_t i, double t, float scale) {
  if (x.of_function) return std::ldexp(std::max(1.0, std::abs(t)), -18);
  if (x.magnitude.empty()) return std::ldexp(std::max(1.0, std::abs(t)), -22);
  return std::ldexp(8.0, -24) * x.magnitude[i] / scale + std::ldexp(std::abs(t), -22);
}

}  // namespace

float SimTensor::F32(size_t i) const {
  return kind == Kind::kCoded ? reference::Dequantize(w[i], encoding.scale, 0) : f32[i];
}

double SimTensor::Real(size_t i) const {
  switch (kind) {
    case Kind::kF32:
      return f32[i];
    case Kind::kCoded:
      return static_cast<double>(w[i]) * static_cast<double>(encoding.scale);
    case Kind::kReal:
      break;
  }
  return real[i];
}

SimTensor MakeF32(const Shape& shape, std::vector<float> values) {
  SimTensor out;
  out.shape = shape;
  out.f32 = std::move(values);
  return out;
}

SimTensor MakeReal(const Shape& shape, std::vector<double> values) {
  SimTensor out;
  out.kind = Kind::kReal;
  out.shape = shape;
  out.real = std::move(values);
  return out;
}

SimTensor MakeCoded(const Shape& shape, std::vector<int32_t> w, const PerTensor& encoding) {
  SimTensor out;
  out.kind = Kind::kCoded;
  out.shape = shape;
  out.w = std::move(w);
  out.encoding = encoding;
  return out;
}

std::vector<double> Reals(const SimTensor& x) {
  std::vector<double> out(x.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = x.Real(i);
  return out;
}

std::vector<double> Magnitudes(const SimTensor& x) {
  if (!x.magnitude.empty()) return x.magnitude;
  std::vector<double> out = Reals(x);
  for (double& value : out) value = std::abs(value);
  return out;
}

ObservedTensor Quantize(const SimTensor& x, const PerTensor& encoding, RoundingProfile profile, bool record) {
  ObservedTensor out;
  out.shape = x.shape;
  out.encoding = encoding;
  out.codes.resize(x.size());
  out.t.resize(record ? x.size() : 0);
  out.near_tie.resize(out.t.size());
  const bool moved = x.kind == Kind::kCoded && x.encoding == encoding && !x.rounding.empty();
  for (size_t i = 0; i < out.codes.size(); ++i) {
    const reference::Rounded rounded = QuantizeElement(x, i, encoding, profile);
    out.codes[i] = static_cast<int32_t>(rounded.code);
    if (!record) continue;
    const Rounding made = moved ? x.rounding[i] : Rounding{rounded.t, NearTie(x, i, rounded.t, encoding.scale)};
    out.t[i] = made.t;
    out.near_tie[i] = made.near_tie;
  }
  return out;
}

}  // namespace lq::simulator
