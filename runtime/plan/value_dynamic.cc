// What TranslateDynamicQuantizers makes of DynamicQuantizeLinear (ONNX 11): codes less their zero point, and the scale,
// of a tensor's own range in float32.
#include <algorithm>
#include <cmath>

#include "runtime/plan/value_operator.h"

namespace lq {
namespace {

// Real numbers are rounded to float32 first.
template <class Visit>
void ForEachFloat(const ValueArray& x, ValueKind form, Visit visit) {
  const auto n = static_cast<size_t>(x.shape.NumElements());
  for (size_t i = 0; i < n; ++i) visit(i, form == ValueKind::kReal ? static_cast<float>(x.real[i]) : x.f32[i]);
}

struct Quantizer {
  float scale, zero_point;
};

// Of zeros alone any scale will do; ONNX Runtime takes 1.
Quantizer QuantizerOf(const ValueArray& x, ValueKind form) {
  float low = 0, high = 0;
  ForEachFloat(x, form, [&](size_t, float value) {
    low = std::min(low, value);
    high = std::max(high, value);
  });
  const float scale = high == low ? 1.0f : (high - low) / 255.0f;
  return {scale, std::nearbyint(std::min(std::max(0.0f - low / scale, 0.0f), 255.0f))};
}

// The range is that of the whole tensor: one piece.
class DynamicOperator final : public ValueOperator {
 public:
  DynamicOperator(bool codes, ValueKind form) : ValueOperator(form, false), codes_(codes) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return codes_ ? in[0] : Shape{}; }
  size_t Pieces(std::span<const ValueArray>, const ValueResult&) const override { return 1; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range pieces) const override {
    if (pieces.begin == pieces.end) return;
    const auto [scale, zero_point] = QuantizerOf(in[0], form());
    if (!codes_) {
      out.f32[0] = scale;
      return;
    }
    for (size_t i = 0, n = static_cast<size_t>(in[0].shape.NumElements()); i < n; ++i) {
      const float value = form() == ValueKind::kReal ? static_cast<float>(in[0].real[i]) : in[0].f32[i];
      const float code = std::min(std::max(std::nearbyint(value / scale) + zero_point, 0.0f), 255.0f);
      out.f32[i] = code - zero_point;
    }
  }

 private:
  bool codes_;  // else the scale
};

class RoundOperator final : public ElementOperator {
 public:
  explicit RoundOperator(ValueKind form) : ElementOperator(form, false) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    for (size_t i = elements.begin; i < elements.end; ++i) {
      out.f32[i] = form() == ValueKind::kReal ? static_cast<float>(in[0].real[i]) : in[0].f32[i];
    }
  }
};

}  // namespace

ValueOperatorResult MakeDynamic(const ValueNode& n) {
  const std::string& op = n.node.op;
  const ValueKind form = n.AnyReal() ? ValueKind::kReal : ValueKind::kF32;
  if (op == "RoundToFloat32") return std::unique_ptr<ValueOperator>(std::make_unique<RoundOperator>(form));
  if (op != "DynamicCodes" && op != "DynamicScale") return std::unique_ptr<ValueOperator>();
  return std::unique_ptr<ValueOperator>(std::make_unique<DynamicOperator>(op == "DynamicCodes", form));
}

}  // namespace lq
