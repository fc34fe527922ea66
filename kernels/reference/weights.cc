// Section 4 of exact_simulator.md: from a float weight and its encoding to integers and one scale per channel.
#include <algorithm>

#include "kernels/reference/reference.h"

namespace lq::reference {
namespace {

// Where element i of a row-major tensor stands along one axis.
struct AxisIndex {
  size_t inner = 1, dim = 1;

  AxisIndex(const Shape& shape, size_t axis) : dim(static_cast<size_t>(shape[axis])) {
    for (size_t d = axis + 1; d < shape.rank(); ++d) inner *= static_cast<size_t>(shape[d]);
  }
  size_t operator()(size_t i) const { return i / inner % dim; }
};

// The index of element i in arrays that are [channel][block].
struct BlockIndex {
  AxisIndex channel, position;
  size_t block_size, blocks;

  template <class Blockwise>
  BlockIndex(const Shape& shape, const Blockwise& e)
      : channel(shape, e.channel_axis),
        position(shape, e.block_axis),
        block_size(static_cast<size_t>(e.block_size)),
        blocks(position.dim / block_size) {}
  size_t operator()(size_t i) const { return channel(i) * blocks + position(i) / block_size; }
};

// The quantizer of one element. `factor` is what the code is multiplied by beside the scale of its channel: 1, or
// LPBQ's integer scale.
struct ElementQuantizer {
  Grid grid;
  float scale;  // that the value is divided by
  int32_t offset;
  int32_t factor;
  double channel_scale;  // real = (q + offset) * factor * channel_scale, exactly
};

// Calls visit(i, quantizer) for each element.
template <class Visit>
void ForEachElement(size_t n, const Shape& shape, const Encoding& encoding, Visit visit) {
  if (const auto* t = std::get_if<PerTensor>(&encoding)) {
    for (size_t i = 0; i < n; ++i) visit(i, ElementQuantizer{t->grid, t->scale, t->offset, 1, t->scale});
  } else if (const auto* c = std::get_if<PerChannel>(&encoding)) {
    const AxisIndex channel(shape, c->axis);
    for (size_t i = 0; i < n; ++i) {
      const float scale = c->scale[channel(i)];
      visit(i, ElementQuantizer{c->grid, scale, c->offset[channel(i)], 1, scale});
    }
  } else if (const auto* b = std::get_if<PerBlock>(&encoding)) {
    const BlockIndex block(shape, *b);
    for (size_t i = 0; i < n; ++i) {
      const float scale = b->scale[block(i)];
      visit(i, ElementQuantizer{b->grid, scale, b->offset[block(i)], 1, scale});
    }
  } else {
    const auto& l = std::get<Lpbq>(encoding);
    const BlockIndex block(shape, l);
    for (size_t i = 0; i < n; ++i) {
      const uint32_t factor = l.per_block_int_scale[block(i)];
      const float channel_scale = l.channel_scale[block.channel(i)];
      const float scale = static_cast<float>(factor) * channel_scale;
      visit(i, ElementQuantizer{{l.bitwidth, true}, scale, 0, static_cast<int32_t>(factor), channel_scale});
    }
  }
}

// torch.fake_quantize knows no blocks: AIMET divides there whatever the profile.
RoundingProfile ProfileFor(const Encoding& encoding, RoundingProfile profile) {
  const bool blocks = std::holds_alternative<PerBlock>(encoding) || std::holds_alternative<Lpbq>(encoding);
  return blocks && profile == RoundingProfile::kAimetFakequant ? RoundingProfile::kAimetDiv : profile;
}

}  // namespace

IntWeights QuantizeWeights(std::span<const float> weight, const Shape& shape, size_t channel_axis,
                           const Encoding& encoding, RoundingProfile profile) {
  const AxisIndex channel(shape, channel_axis);
  const RoundingProfile rounding = ProfileFor(encoding, profile);
  IntWeights out;
  out.q.resize(weight.size());
  out.w_int.resize(weight.size());
  out.scale.resize(channel.dim);
  ForEachElement(weight.size(), shape, encoding, [&](size_t i, const ElementQuantizer& e) {
    out.q[i] = static_cast<int32_t>(QuantizeF32(weight[i], e.grid, e.scale, e.offset, rounding).code);
    out.w_int[i] = (out.q[i] + e.offset) * e.factor;
    out.scale[channel(i)] = e.channel_scale;
  });
  return out;
}

bool IsConstantPerChannel(const PerBlock& encoding, const Shape& shape) {
  const auto blocks = static_cast<size_t>(shape[encoding.block_axis] / encoding.block_size);
  for (size_t i = 0; i < encoding.scale.size(); ++i) {
    const size_t first = i - i % blocks;
    if (encoding.scale[i] != encoding.scale[first] || encoding.offset[i] != encoding.offset[first]) return false;
  }
  return true;
}

std::vector<double> RoundToGrid(std::span<const float> values, const Shape& shape, const Encoding& encoding,
                                RoundingProfile profile) {
  const RoundingProfile rounding = ProfileFor(encoding, profile);
  std::vector<double> out(values.size());
  ForEachElement(values.size(), shape, encoding, [&](size_t i, const ElementQuantizer& e) {
    const int64_t q = QuantizeF32(values[i], e.grid, e.scale, e.offset, rounding).code;
    out[i] = static_cast<double>((q + e.offset) * e.factor) * e.channel_scale;
  });
  return out;
}

std::vector<double> GridMagnitudes(std::span<const float> values, const Shape& shape, const Encoding& encoding,
                                   RoundingProfile profile) {
  const RoundingProfile rounding = ProfileFor(encoding, profile);
  std::vector<double> out(values.size());
  ForEachElement(values.size(), shape, encoding, [&](size_t i, const ElementQuantizer& e) {
    const int64_t middle = e.grid.is_signed ? 0 : int64_t{1} << (e.grid.bitwidth - 1);
    const int64_t q = QuantizeF32(values[i], e.grid, e.scale, e.offset, rounding).code - middle;
    out[i] = static_cast<double>((std::abs(q) + std::abs(e.offset + middle)) * e.factor) * e.channel_scale;
  });
  return out;
}

}  // namespace lq::reference
