// Between codes and the values that operators compute with, element by element in one order.
#ifndef LANEQUANT_RUNTIME_PLAN_VALUE_CODEC_H_
#define LANEQUANT_RUNTIME_PLAN_VALUE_CODEC_H_

#include <cstddef>
#include <optional>

#include "kernels/contracts.h"
#include "lanequant/layer.h"
#include "lanequant/tensor.h"
#include "runtime/plan/value_operator.h"
#include "runtime/variants.h"

namespace lq {

// Bytes of one value.
constexpr size_t BytesOf(ValueKind kind) { return kind == ValueKind::kReal ? 8 : 4; }

// Values of one tensor: codes on the unsigned grid of `encoding`, or without one f32 or f64.
class ValueDecoder {
 public:
  ValueDecoder(const std::optional<PerTensor>& encoding, const PrepareOptions& options);

  // n elements of `type` at `in` -> values of kind `form` at `out` (aligned). Codes: the centred ones, x32, or x^.
  void Decode(const std::byte* in, DType type, size_t n, ValueKind form, std::byte* out) const;
  // Sets the pointer of `array` that goes with `form`.
  void Point(const std::byte* values, ValueKind form, ValueArray& array) const;

 private:
  std::optional<PerTensor> encoding_;  // unsigned
  Chosen<kernels::DequantizeAffineFn> dequantize_;
};

// f32 or real values -> codes of an encoding (exact_simulator.md 2).
class ValueEncoder {
 public:
  ValueEncoder(const PerTensor& encoding, const PrepareOptions& options);

  // `codes`: u8 or u16, as the grid needs.
  void Encode(const std::byte* values, bool is_real, size_t n, std::byte* codes) const;

 private:
  PerTensor encoding_;  // unsigned
  kernels::QuantizeTo to_;
  Chosen<kernels::QuantizeAffineFn> quantize_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_VALUE_CODEC_H_
