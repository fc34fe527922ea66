#include "runtime/passes/dequantize.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace lq {
namespace {

// Position i of a row-major tensor along one axis.
class Along {
 public:
  Along(const Shape& shape, size_t axis) : dim_(static_cast<size_t>(shape[axis])) {
    for (size_t i = axis + 1; i < shape.rank(); ++i) inner_ *= static_cast<size_t>(shape[i]);
  }
  size_t operator()(size_t i) const { return i / inner_ % dim_; }

 private:
  size_t dim_, inner_ = 1;
};

struct Step {
  float scale;
  int32_t offset;
};

// step(i): scale and offset of element i.
template <class GetStep>
Status ToFloats(const std::string& name, GetStep step, Constant& constant) {
  std::vector<float> values(constant.s64.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto [scale, offset] = step(i);
    const int64_t centred = constant.s64[i] + offset;
    values[i] = static_cast<float>(centred) * scale;
    if (std::rint(values[i] / scale) == static_cast<float>(centred)) continue;
    return InvalidArgument(
        fmt::format("tensor '{}': code {} with offset {} and scale {} is no float32 that leads back to it", name,
                    constant.s64[i], offset, scale));
  }
  constant.dtype = DType::kF32;
  constant.f32 = std::move(values);
  constant.s64 = std::vector<int64_t>();  // frees them: 8 bytes for each code
  return OkStatus();
}

struct Visitor {
  const std::string& name;
  Constant& constant;

  Status operator()(const PerTensor& e) const {
    return ToFloats(
        name,
        [&](size_t) {
          return Step{e.scale, e.offset};
        },
        constant);
  }
  Status operator()(const PerChannel& e) const {
    const Along channel(constant.shape, e.axis);
    return ToFloats(
        name,
        [&](size_t i) {
          return Step{e.scale[channel(i)], e.offset[channel(i)]};
        },
        constant);
  }
  Status operator()(const PerBlock& e) const {
    const BlockOf block(constant.shape, e);
    return ToFloats(
        name,
        [&](size_t i) {
          return Step{e.scale[block(i)], e.offset[block(i)]};
        },
        constant);
  }
  Status operator()(const Lpbq& e) const {
    const BlockOf block(constant.shape, e);
    const Along channel(constant.shape, e.channel_axis);
    return ToFloats(
        name,
        [&](size_t i) {
          return Step{static_cast<float>(e.per_block_int_scale[block(i)]) * e.channel_scale[channel(i)], 0};
        },
        constant);
  }

 private:
  // The index in an array [channel][block].
  struct BlockOf {
    template <class E>
    BlockOf(const Shape& shape, const E& e)
        : channel(shape, e.channel_axis),
          block(shape, e.block_axis),
          size(static_cast<size_t>(e.block_size)),
          blocks(static_cast<size_t>(shape[e.block_axis]) / size) {}
    size_t operator()(size_t i) const { return channel(i) * blocks + block(i) / size; }
    Along channel, block;
    size_t size, blocks;
  };
};

}  // namespace

Status Dequantize(const std::string& name, const Encoding& encoding, Constant& constant) {
  return std::visit(Visitor{name, constant}, encoding);
}

}  // namespace lq
