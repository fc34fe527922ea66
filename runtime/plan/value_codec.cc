#include "runtime/plan/value_codec.h"

#include <algorithm>

#include "kernels/epilogue.h"
#include "runtime/output_arrays.h"
#include "runtime/views.h"

namespace lq {
namespace {

template <class Code, class T, class Convert>
void ForEach(const std::byte* in, size_t n, std::byte* out, Convert convert) {
  const Code* codes = reinterpret_cast<const Code*>(in);
  std::transform(codes, codes + n, reinterpret_cast<T*>(out), convert);
}

}  // namespace

ValueDecoder::ValueDecoder(const std::optional<PerTensor>& encoding, const PrepareOptions& options)
    : dequantize_(Choose(kernels::DequantizeAffineVariants(), options.max_isa)) {
  if (encoding) encoding_ = ToUnsigned(*encoding);
}

void ValueDecoder::Decode(const std::byte* in, DType type, size_t n, ValueKind form, std::byte* out) const {
  if (!encoding_) {
    if (type == DType::kF32 && form == ValueKind::kReal) {
      ForEach<float, double>(in, n, out, [](float x) { return double{x}; });
    } else {
      std::copy_n(in, n * SizeOf(type), out);
    }
    return;
  }
  const PerTensor& e = *encoding_;
  if (form == ValueKind::kF32) {
    dequantize_.run({.in = in,
                     .type = CodeTypeOf(e),
                     .n = n,
                     .layout = {&e.scale, &e.offset, 1, n},
                     .out = reinterpret_cast<float*>(out)});
    return;
  }
  const auto centred = [&e](auto code) { return int32_t{code} + e.offset; };
  const auto real = [&](auto code) { return static_cast<double>(centred(code)) * static_cast<double>(e.scale); };
  if (type == DType::kU8) {
    if (form == ValueKind::kCoded) ForEach<uint8_t, int32_t>(in, n, out, centred);
    if (form == ValueKind::kReal) ForEach<uint8_t, double>(in, n, out, real);
  } else {
    if (form == ValueKind::kCoded) ForEach<uint16_t, int32_t>(in, n, out, centred);
    if (form == ValueKind::kReal) ForEach<uint16_t, double>(in, n, out, real);
  }
}

void ValueDecoder::Point(const std::byte* values, ValueKind form, ValueArray& array) const {
  if (form == ValueKind::kF32) array.f32 = reinterpret_cast<const float*>(values);
  if (form == ValueKind::kReal) array.real = reinterpret_cast<const double*>(values);
  if (form == ValueKind::kCoded) {
    array.centred = reinterpret_cast<const int32_t*>(values);
    array.scale = encoding_->scale;
  }
}

ValueEncoder::ValueEncoder(const PerTensor& encoding, const PrepareOptions& options)
    : encoding_(ToUnsigned(encoding)),
      to_(MakeQuantizeTo(encoding, options.profile, -__builtin_inff(), __builtin_inff())),
      quantize_(Choose(kernels::QuantizeAffineVariants(), options.max_isa)) {}

void ValueEncoder::Encode(const std::byte* values, bool is_real, size_t n, std::byte* codes) const {
  if (!is_real) {
    quantize_.run({.in = reinterpret_cast<const float*>(values),
                   .n = n,
                   .layout = {&encoding_.scale, &encoding_.offset, 1, n},
                   .qmin = 0,
                   .qmax = encoding_.grid.qmax(),
                   .profile = to_.profile,
                   .type = CodeTypeOf(encoding_),
                   .out = codes});
    return;
  }
  if (CodeBytes(encoding_.grid) == 1) {
    ForEach<double, uint8_t>(values, n, codes,
                             [this](double y) { return static_cast<uint8_t>(kernels::CodeOf(y, to_)); });
  } else {
    ForEach<double, uint16_t>(values, n, codes,
                              [this](double y) { return static_cast<uint16_t>(kernels::CodeOf(y, to_)); });
  }
}

}  // namespace lq
