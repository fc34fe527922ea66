// Planning of ConvTranspose, 2-D: a convolution with the flipped weight over an image whose elements lie `stride`
// apart, zeros in between. The sums are the same integers.
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/planner.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

struct WeightShape {
  size_t in, out, height, width;  // of all groups: `out` for each one
};

// [in][out][height][width] -> [group * out][in / groups][height][width], the window turned round.
std::vector<float> Flipped(std::span<const float> weight, const WeightShape& s, size_t groups) {
  std::vector<float> flipped(weight.size());
  const size_t taps = s.height * s.width, in_group = s.in / groups;
  for (size_t i = 0; i < s.in; ++i) {
    for (size_t o = 0; o < s.out; ++o) {
      const float* from = &weight[(i * s.out + o) * taps];
      float* to = &flipped[((i / in_group * s.out + o) * in_group + i % in_group) * taps];
      std::reverse_copy(from, from + taps, to);
    }
  }
  return flipped;
}

// From [channel][block of all groups' inputs] to the channels of one group after the other, each with its own blocks.
template <class T>
std::vector<T> Regrouped(const std::vector<T>& scale, size_t channels, size_t groups) {
  const size_t blocks = scale.size() / channels / groups;  // of a group
  std::vector<T> out;
  for (size_t g = 0; g < groups; ++g) {
    for (size_t c = 0; c < channels; ++c) {
      const auto begin = scale.begin() + static_cast<ptrdiff_t>((c * groups + g) * blocks);
      out.insert(out.end(), begin, begin + static_cast<ptrdiff_t>(blocks));
    }
  }
  return out;
}

// One after the other for each group.
template <class T>
std::vector<T> Repeated(const std::vector<T>& values, size_t groups) {
  std::vector<T> out;
  for (size_t g = 0; g < groups; ++g) out.insert(out.end(), values.begin(), values.end());
  return out;
}

// The encoding of the flipped weight. Nothing where a block lies in two groups.
std::optional<Encoding> Exchanged(const Encoding& encoding, const WeightShape& shape, size_t groups) {
  if (const auto* e = std::get_if<PerChannel>(&encoding)) {
    return PerChannel{e->grid, 0, Repeated(e->scale, groups), Repeated(e->offset, groups)};
  }
  const auto splits = [&](int64_t block) { return shape.in / groups % static_cast<size_t>(block) != 0; };
  if (const auto* e = std::get_if<PerBlock>(&encoding)) {
    if (splits(e->block_size)) return std::nullopt;
    return PerBlock{
        e->grid, 0, 1, e->block_size, Regrouped(e->scale, shape.out, groups), Regrouped(e->offset, shape.out, groups)};
  }
  if (const auto* e = std::get_if<Lpbq>(&encoding)) {
    if (splits(e->block_size)) return std::nullopt;
    return Lpbq{e->bitwidth,
                e->decompressed_bitwidth,
                0,
                1,
                e->block_size,
                Repeated(e->channel_scale, groups),
                Regrouped(e->per_block_int_scale, shape.out, groups)};
  }
  return encoding;
}

// From the padding that ConvTranspose takes away from its output to that of the convolution of the spread image, which
// has `more` at its ends.
Status InvertPadding(const std::string& name, const std::vector<int64_t>& more, WindowAttributes& window) {
  for (size_t axis = 0; axis < 2; ++axis) {
    const size_t reach = window.dilation[axis] * (window.kernel[axis] - 1);
    const size_t end = reach + static_cast<size_t>(more[axis]);
    if (window.padding[axis] > reach || window.padding[axis + 2] > end) {
      return Unsupported(fmt::format("{}: pads {} and {} are wider than its window of {}", name, window.padding[axis],
                                     window.padding[axis + 2], reach));
    }
    window.padding[axis] = reach - window.padding[axis];
    window.padding[axis + 2] = end - window.padding[axis + 2];
  }
  return OkStatus();
}

// Zeros between the elements of an image.
std::unique_ptr<Step> MakeSpreadStep(const std::array<size_t, 2>& stride, const std::optional<PerTensor>& codes) {
  return MakeRearrangeStep(MakeSpreading(static_cast<int64_t>(stride[0]), static_cast<int64_t>(stride[1])),
                           static_cast<uint16_t>(codes ? -codes->offset : 0));
}

}  // namespace

Status Planner::PlanConvTranspose(const Node& node) {
  const std::string name = graph_.Describe(node);
  LQ_ASSIGN_OR_RETURN(Weight weight, FindWeight(node, 4, 1));
  const auto groups = static_cast<size_t>(std::max<int64_t>(node.Int("group", 1), 1));
  const WeightShape shape{weight.dim(0), weight.dim(1), weight.dim(2), weight.dim(3)};
  if (weight.constant->shape.NumElements() < 1 || shape.in % groups != 0) {
    return InvalidArgument(fmt::format("{}: weight '{}' of shape {} does not fall into {} groups", name,
                                       graph_.value(node.inputs[1]).name, weight.constant->shape.ToString(), groups));
  }
  if (weight.encoding && !Exchanged(*weight.encoding, shape, groups)) RoundToFloats(weight);
  LQ_ASSIGN_OR_RETURN(LayerInput input, FindLayerInput(node, weight));
  if (weight.encoding) weight.encoding = Exchanged(*weight.encoding, shape, groups);
  const Shape image = plan_.shapes[input.tensor];
  LQ_ASSIGN_OR_RETURN(WindowAttributes window,
                      ReadWindow(graph_, node, std::array<size_t, 2>{shape.height, shape.width}, image));
  const std::vector<int64_t> more = node.Ints("output_padding", {0, 0});
  if (shape.in != static_cast<size_t>(image[3]) || (input.codes && !HasZero(*input.codes)) ||
      node.String("auto_pad", "NOTSET") != "NOTSET" || more.size() != 2) {
    return Unsupported(fmt::format(
        "{}: weight '{}' of shape {} in {} groups on {} channels; supported: pads, and 0 on the input's grid", name,
        graph_.value(node.inputs[1]).name, weight.constant->shape.ToString(), groups, image[3]));
  }
  LQ_RETURN_IF_ERROR(InvertPadding(name, more, window));
  const PlanTensor same = NewTensor(plan_.tensors[input.tensor].encoding, false);
  LQ_ASSIGN_OR_RETURN(input.tensor,
                      Emit(MakeSpreadStep(window.stride, input.codes), "Spread", node, {input.tensor}, same));
  window.stride = {1, 1};
  const size_t channels = shape.out * groups;
  LQ_ASSIGN_OR_RETURN(const Chain chain, TakeWeightedChain(node, static_cast<int64_t>(channels)));
  StageArrays arrays;
  LQ_ASSIGN_OR_RETURN(const OutputStage stage, MakeStage(node, chain, channels, arrays));
  const std::vector<float> flipped = Flipped(weight.values(), shape, groups);
  Conv2dSpec spec = MakeConvSpec(node, window, input, stage);
  spec.in_channels = shape.in;
  spec.out_channels = channels;
  spec.weight = flipped;
  spec.weight_encoding = weight.encoding;
  LQ_ASSIGN_OR_RETURN(Conv2d conv, Conv2d::Prepare(spec, options_));
  return EmitLayer(MakeConv2dStep(std::move(conv)), node, chain, input);
}

}  // namespace lq
