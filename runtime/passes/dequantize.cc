#include "runtime/passes/dequantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "lanequant/quantize.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// An encoding in the form of the bulk quantizers: arrays in the order of the tensor's axes.
struct Arrays {
  Shape shape;
  std::vector<float> scale;
  std::vector<int32_t> offset;           // empty: 0 everywhere
  std::vector<int64_t> block_size = {};  // empty: `shape` broadcasts
};

Shape Ones(size_t rank) {
  const std::vector<int64_t> dims(rank, 1);
  return Shape(dims);
}

// [channel][block] -> the tensor's order. Axes that are neither have one index.
template <class T>
std::vector<T> InOrder(const std::vector<T>& values, size_t channels, bool channels_first) {
  if (channels_first || values.empty()) return values;
  const size_t blocks = values.size() / channels;
  std::vector<T> turned;
  turned.reserve(values.size());
  for (size_t b = 0; b < blocks; ++b) {
    for (size_t c = 0; c < channels; ++c) turned.push_back(values[c * blocks + b]);
  }
  return turned;
}

template <class E>
Arrays OfBlocks(const Shape& tensor, const E& e, const std::vector<float>& scale, const std::vector<int32_t>& offset) {
  const auto channels = static_cast<size_t>(tensor[e.channel_axis]);
  const bool channels_first = e.channel_axis < e.block_axis;
  Arrays arrays{Ones(tensor.rank()), InOrder(scale, channels, channels_first),
                InOrder(offset, channels, channels_first), std::vector<int64_t>(tensor.rank(), -1)};
  arrays.shape[e.channel_axis] = tensor[e.channel_axis];
  arrays.shape[e.block_axis] = tensor[e.block_axis] / e.block_size;
  return arrays;
}

struct ToArrays {
  const Shape& tensor;

  Arrays operator()(const PerTensor& e) const { return {Ones(tensor.rank()), {e.scale}, {e.offset}}; }
  Arrays operator()(const PerChannel& e) const {
    Arrays arrays{Ones(tensor.rank()), e.scale, e.offset};
    arrays.shape[e.axis] = tensor[e.axis];
    return arrays;
  }
  Arrays operator()(const PerBlock& e) const { return OfBlocks(tensor, e, e.scale, e.offset); }
  Arrays operator()(const Lpbq& e) const {
    std::vector<float> scale(e.per_block_int_scale.size());
    const size_t blocks = scale.size() / e.channel_scale.size();
    for (size_t i = 0; i < scale.size(); ++i) {
      scale[i] = static_cast<float>(e.per_block_int_scale[i]) * e.channel_scale[i / blocks];
    }
    return OfBlocks(tensor, e, scale, {});
  }
};

}  // namespace

Result<std::vector<float>> DequantizedFloats(const std::string& name, const Encoding& encoding,
                                             const Constant& constant) {
  std::vector<float> values(constant.s64.size());
  if (values.empty()) return values;
  const Arrays arrays = std::visit(ToArrays{constant.shape}, encoding);
  Integers wide;  // the quantizers have no codes of 64 bits
  if (constant.s64.type() == DType::kS64) wide.Assign(DType::kS32, constant.s64.ToVector());
  const Integers& codes = wide.empty() ? constant.s64 : wide;
  AffineQuantizer quantizer;
  quantizer.scale = {DType::kF32, arrays.shape, std::as_bytes(std::span(arrays.scale))};
  if (!arrays.offset.empty()) {
    quantizer.offset = {DType::kS32, arrays.shape, std::as_bytes(std::span(arrays.offset))};
  }
  quantizer.block_size = arrays.block_size;
  const TensorView out{DType::kF32, constant.shape, std::as_writable_bytes(std::span(values))};
  LQ_RETURN_IF_ERROR(Dequantize({codes.type(), constant.shape, codes.bytes()}, quantizer, out));
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return values;
  const auto at = static_cast<size_t>(bad - values.begin());
  return InvalidArgument(
      fmt::format("tensor '{}': element {}, code {}, is {} in float32", name, at, constant.s64[at], *bad));
}

Status Dequantize(const std::string& name, const Encoding& encoding, Constant& constant) {
  LQ_ASSIGN_OR_RETURN(constant.f32, DequantizedFloats(name, encoding, constant));
  constant.dtype = DType::kF32;
  constant.s64 = Integers();  // frees them
  return OkStatus();
}

}  // namespace lq
