// Planning of three-dimensional convolutions.
#include <fmt/format.h>

#include <string_view>

#include "runtime/output_arrays.h"
#include "runtime/plan/planner.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// The node with the numbers of dimensions [first, first + 2) of three; beyond the third they are those of a 1.
Node Dimensions(const Node& node, size_t first) {
  Node out = node;
  for (const std::string_view key : {"kernel_shape", "strides", "dilations", "pads"}) {
    const auto found = out.attributes.find(std::string(key));
    if (found == out.attributes.end()) continue;
    const std::vector<int64_t> all = node.Ints(found->first, {});
    std::vector<int64_t> two;
    for (size_t i = 0; i + 3 <= all.size(); i += 3) {
      two.push_back(all[i + first]);
      two.push_back(first == 1 ? all[i + 2] : key == "pads" ? 0 : 1);
    }
    found->second = std::move(two);
  }
  return out;
}

// Blocks of input channels, each of which is now as many channels as the kernel is deep.
std::optional<Encoding> Deepened(std::optional<Encoding> encoding, int64_t depth) {
  if (auto* e = encoding ? std::get_if<PerBlock>(&*encoding) : nullptr) e->block_size *= depth;
  if (auto* e = encoding ? std::get_if<Lpbq>(&*encoding) : nullptr) e->block_size *= depth;
  return encoding;
}

// How the convolution walks along the depth, the first dimension of `depth`. Error: padding, but no code of 0.
Result<Conv3dWindow> DepthWindow(const std::string& name, const WindowAttributes& depth,
                                 const std::optional<PerTensor>& codes) {
  const bool pads = codes && depth.padding[0] + depth.padding[2] > 0;
  if (pads && !HasZero(*codes)) {
    return Unsupported(fmt::format("{}: pads of {} and {} planes, but 0 is not on the grid of its input, {}", name,
                                   depth.padding[0], depth.padding[2], Describe(Encoding(*codes))));
  }
  const auto size = [](size_t value) { return static_cast<int64_t>(value); };
  return Conv3dWindow{size(depth.kernel[0]),  size(depth.stride[0]),  size(depth.dilation[0]),
                      size(depth.padding[0]), size(depth.padding[2]), static_cast<uint16_t>(pads ? -codes->offset : 0)};
}

}  // namespace

Status Planner::PlanConv3d(const Node& node) {
  LQ_ASSIGN_OR_RETURN(Weight weight, FindWeight(node, 5, 0));
  LQ_ASSIGN_OR_RETURN(const LayerInput input, FindLayerInput(node, weight));
  const Shape in = plan_.shapes[input.tensor];
  const int64_t groups = node.Int("group", 1), kernel_depth = weight.constant->shape[2];
  if (in.rank() != 5 || groups < 1 || weight.constant->shape[1] * groups != in[1]) {
    return InvalidArgument(fmt::format("{}: weight '{}' of shape {} in {} groups does not fit an input of shape {}",
                                       graph_.Describe(node), graph_.value(node.inputs[1]).name,
                                       weight.constant->shape.ToString(), groups, in.ToString()));
  }
  const Node depth_node = Dimensions(node, 0), plane_node = Dimensions(node, 1);
  LQ_ASSIGN_OR_RETURN(
      const WindowAttributes depth,
      ReadWindow(graph_, depth_node, std::array<size_t, 2>{weight.dim(2), 1}, Shape{in[0], in[2], 1, 1}));
  LQ_ASSIGN_OR_RETURN(const WindowAttributes plane,
                      ReadWindow(graph_, plane_node, std::array<size_t, 2>{weight.dim(3), weight.dim(4)},
                                 Shape{in[0], in[3], in[4], 1}));
  LQ_ASSIGN_OR_RETURN(Chain chain, TakeChain(node, {0, true, true}));
  LQ_RETURN_IF_ERROR(FuseClampBehind(chain));
  StageArrays arrays;
  LQ_ASSIGN_OR_RETURN(const OutputStage stage, MakeStage(node, chain, weight.dim(0), arrays));
  Conv2dSpec spec = MakeConvSpec(node, plane, input, stage);
  spec.in_channels = static_cast<size_t>(in[1] * kernel_depth);
  spec.out_channels = weight.dim(0);
  spec.weight = weight.values();
  spec.weight_encoding = Deepened(weight.encoding, kernel_depth);
  LQ_ASSIGN_OR_RETURN(const Conv3dWindow window, DepthWindow(spec.name, depth, input.codes));
  LQ_ASSIGN_OR_RETURN(Conv2d conv, Conv2d::Prepare(spec, options_));
  return EmitLayer(MakeConv3dStep(spec.name, std::move(conv), window), node, chain, input);
}

}  // namespace lq
