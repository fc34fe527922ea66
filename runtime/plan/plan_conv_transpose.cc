// Planning of ConvTranspose, 2-D: a convolution with the flipped weight over an image whose elements lie `stride`
// apart, zeros in between. The sums are the same integers.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/planner.h"
#include "runtime/plan/window_attributes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

struct WeightShape {
  size_t in, out, height, width;  // of all groups: `out` for each one
};

// [in][out][height][width] -> [group * out][in / groups][height][width], the window turned round.
std::vector<float> Flipped(const std::vector<float>& weight, const WeightShape& s, size_t groups) {
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

// The weight's encoding with its first two axes exchanged. Nothing where the groups' channels would need one each.
std::optional<Encoding> Exchanged(Encoding encoding, size_t groups) {
  if (std::holds_alternative<PerTensor>(encoding)) return encoding;
  if (groups != 1) return std::nullopt;
  if (auto* e = std::get_if<PerChannel>(&encoding)) {
    if (e->axis > 1) return std::nullopt;
    e->axis = 1 - e->axis;
  } else if (auto* blocks = std::get_if<PerBlock>(&encoding)) {
    std::swap(blocks->channel_axis, blocks->block_axis);
  } else if (auto* lpbq = std::get_if<Lpbq>(&encoding)) {
    std::swap(lpbq->channel_axis, lpbq->block_axis);
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

}  // namespace

Status Planner::PlanConvTranspose(const Node& node) {
  const std::string name = graph_.Describe(node);
  LQ_ASSIGN_OR_RETURN(size_t input, Codes(node, node.inputs[0]));
  LQ_ASSIGN_OR_RETURN(const Weight weight, FindWeight(node, 4));
  const auto groups = static_cast<size_t>(node.Int("group", 1));
  const WeightShape shape{weight.dim(0), weight.dim(1), weight.dim(2), weight.dim(3)};
  const Shape image = plan_.shapes[input];
  LQ_ASSIGN_OR_RETURN(WindowAttributes window,
                      ReadWindow(graph_, node, std::array<size_t, 2>{shape.height, shape.width}, image));
  const std::vector<int64_t> more = node.Ints("output_padding", {0, 0});
  const PerTensor in = EncodingOf(input);
  const std::optional<Encoding> encoding = Exchanged(weight.encoding, groups);
  const PerTensor codes = ToUnsigned(in);
  const bool has_zero = codes.offset <= 0 && -codes.offset <= codes.grid.qmax();
  if (shape.in != static_cast<size_t>(image[3]) || groups < 1 || shape.in % groups != 0 || !encoding || !has_zero ||
      node.String("auto_pad", "NOTSET") != "NOTSET" || more.size() != 2) {
    return Unsupported(
        fmt::format("{}: weight '{}' of shape {} in {} groups on {} channels; supported: pads, one scale "
                    "or one group, and 0 on the input's grid",
                    name, graph_.value(node.inputs[1]).name, weight.constant->shape.ToString(), groups, image[3]));
  }
  LQ_RETURN_IF_ERROR(InvertPadding(name, more, window));
  auto spread =
      MakeRearrangeStep(MakeSpreading(static_cast<int64_t>(window.stride[0]), static_cast<int64_t>(window.stride[1])),
                        static_cast<uint16_t>(-codes.offset));
  LQ_ASSIGN_OR_RETURN(input, Emit(std::move(spread), "Spread", node, {input}, NewTensor(in, false)));
  const size_t channels = shape.out * groups;
  LQ_ASSIGN_OR_RETURN(const Chain chain, TakeWeightedChain(node, static_cast<int64_t>(channels)));
  StageArrays arrays;
  LQ_ASSIGN_OR_RETURN(const OutputStage stage, MakeStage(node, chain, channels, arrays));
  const std::vector<float> flipped = Flipped(weight.constant->f32, shape, groups);
  const Conv2dSpec spec{.name = name,
                        .in_channels = shape.in,
                        .out_channels = channels,
                        .groups = groups,
                        .kernel = window.kernel,
                        .stride = {1, 1},
                        .dilation = window.dilation,
                        .padding = window.padding,
                        .weight = flipped,
                        .weight_encoding = *encoding,
                        .input = codes,
                        .output = stage};
  LQ_ASSIGN_OR_RETURN(Conv2d conv, Conv2d::Prepare(spec, options_));
  return EmitLayer(MakeConv2dStep(std::move(conv)), node, chain, input);
}

}  // namespace lq
