// Planning of weighted layers: Conv, Gemm, MatMul with what their output stage takes in.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/reference/reference.h"
#include "runtime/output_arrays.h"
#include "runtime/passes/dequantize.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/planner.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A weight encoding whose channel axis is 1 (K, N), as of the transposed weight (N, K).
Encoding SwapAxes(Encoding encoding) {
  if (auto* e = std::get_if<PerChannel>(&encoding)) e->axis = 1 - e->axis;
  if (auto* e = std::get_if<PerBlock>(&encoding)) std::swap(e->channel_axis, e->block_axis);
  if (auto* e = std::get_if<Lpbq>(&encoding)) std::swap(e->channel_axis, e->block_axis);
  return encoding;
}

bool HasAxes(const Encoding& encoding, size_t channel_axis) {
  if (const auto* e = std::get_if<PerChannel>(&encoding)) return e->axis == channel_axis;
  const auto has_axes = [&](const auto& e) {
    return e.channel_axis == channel_axis && e.block_axis == 1 - channel_axis;
  };
  if (const auto* e = std::get_if<PerBlock>(&encoding)) return has_axes(*e);
  if (const auto* e = std::get_if<Lpbq>(&encoding)) return has_axes(*e);
  return true;
}

bool VariesInChannels(const Encoding& encoding, const Shape& shape) {
  const auto* blocks = std::get_if<PerBlock>(&encoding);
  return blocks != nullptr && !reference::IsConstantPerChannel(*blocks, shape);
}

int BitwidthOf(const Encoding& encoding) {
  if (const auto* e = std::get_if<PerTensor>(&encoding)) return e->grid.bitwidth;
  if (const auto* e = std::get_if<PerChannel>(&encoding)) return e->grid.bitwidth;
  if (const auto* e = std::get_if<PerBlock>(&encoding)) return e->grid.bitwidth;
  return std::get<Lpbq>(encoding).bitwidth;
}

}  // namespace

Status Planner::SetBias(const Node& node, ValueId bias, size_t channels, OutputStage& stage,
                        StageArrays& arrays) const {
  const Constant* constant = constants_.Find(bias);
  const size_t elements = constant != nullptr ? static_cast<size_t>(constant->shape.NumElements()) : 0;
  if (elements != 1 && elements != channels) {
    return Unsupported(fmt::format("{}: bias '{}' is no constant of one value for each of {} channels",
                                   graph_.Describe(node), graph_.value(bias).name, channels));
  }
  LQ_ASSIGN_OR_RETURN(const std::vector<double> reals, constants_.Reals(bias, options_));
  const bool own = node.inputs.size() > 2 && node.inputs[2] == bias;
  // exact_simulator.md 4: an Add behind a MatMul is its bias, rounded to int32 codes where biases are; behind other
  // layers, and where it has an encoding of its own, it is the addition of a real number.
  const bool has_codes = constants_.IsReal(bias) || constants_.EncodingOf(bias).has_value();
  const bool rounds = !has_codes && (own || (node.op == "MatMul" && elements == channels));
  for (size_t i = 0; i < channels; ++i) {
    const size_t at = elements == 1 ? 0 : i;
    if (rounds) {
      arrays.bias.push_back(constant->f32[at]);
    } else {
      arrays.coded_bias.push_back(reals[at]);
    }
  }
  stage.bias = arrays.bias;
  stage.coded_bias = arrays.coded_bias;
  if (own && node.op == "Gemm") stage.beta = node.Float("beta", 1.0f);
  return OkStatus();
}

Status Planner::SetBatchNorm(const Node& node, size_t channels, OutputStage& stage, StageArrays& arrays) const {
  std::vector<float>* const into[] = {&arrays.gamma, &arrays.beta, &arrays.mean, &arrays.variance};
  for (size_t i = 0; i < 4; ++i) {
    if (i + 1 >= node.inputs.size())
      return InvalidArgument(fmt::format("{}: {} inputs, not 5", graph_.Describe(node), node.inputs.size()));
    LQ_ASSIGN_OR_RETURN(*into[i], constants_.Floats(node.inputs[i + 1], options_));
    if (into[i]->size() == channels) continue;
    return InvalidArgument(fmt::format("{}: '{}' has {} values, but there are {} channels", graph_.Describe(node),
                                       graph_.value(node.inputs[i + 1]).name, into[i]->size(), channels));
  }
  stage.batch_norm = BatchNorm{arrays.gamma, arrays.beta, arrays.mean, arrays.variance, node.Float("epsilon", 1e-5f)};
  return OkStatus();
}

Result<OutputStage> Planner::MakeStage(const Node& node, const Chain& chain, size_t channels,
                                       StageArrays& arrays) const {
  OutputStage stage;
  if (node.op == "Gemm") stage.alpha = node.Float("alpha", 1.0f);
  const ValueId own = node.inputs.size() > 2 ? node.inputs[2] : kAbsent;
  const ValueId bias = own != kAbsent ? own : chain.bias;
  if (bias != kAbsent) LQ_RETURN_IF_ERROR(SetBias(node, bias, channels, stage, arrays));
  if (chain.batch_norm != nullptr) LQ_RETURN_IF_ERROR(SetBatchNorm(*chain.batch_norm, channels, stage, arrays));
  stage.clip_min = chain.clip_min;
  stage.clip_max = chain.clip_max;
  LQ_ASSIGN_OR_RETURN(stage.encoding, ResultEncoding(chain));
  if (stage.encoding) stage.encoding = ToUnsigned(*stage.encoding);
  return stage;
}

Result<Planner::Weight> Planner::FindWeight(const Node& node, size_t rank, size_t channel_axis) const {
  const Constant* constant = constants_.Find(node.inputs[1]);
  const bool of_codes = constant != nullptr && constant->dtype == DType::kS8;
  if (constant == nullptr || (constant->dtype != DType::kF32 && !of_codes) || constant->shape.rank() != rank) {
    return Unsupported(
        fmt::format("{}: '{}' is no float constant of {} dimensions; layers multiply activations with weights",
                    graph_.Describe(node), graph_.value(node.inputs[1]).name, rank));
  }
  Weight weight{constant, constants_.EncodingOf(node.inputs[1]), {}};
  if (!weight.encoding) return weight;
  const std::string& name = graph_.value(node.inputs[1]).name;
  LQ_RETURN_IF_ERROR(ValidateEncoding(name, *weight.encoding, constant->shape));
  if (of_codes) {
    LQ_ASSIGN_OR_RETURN(weight.floats, DequantizedFloats(name, *weight.encoding, *constant));
  }
  if (!HasAxes(*weight.encoding, channel_axis)) RoundToFloats(weight);
  return weight;
}

void Planner::RoundToFloats(Weight& weight) const {
  const std::vector<double> values =
      reference::RoundToGrid(weight.values(), weight.constant->shape, *weight.encoding, options_.profile);
  weight.floats.assign(values.begin(), values.end());
  weight.encoding.reset();
}

// The float path of exact_simulator.md 4: values instead of codes, or weights without a scale for each channel.
Result<Planner::LayerInput> Planner::FindLayerInput(const Node& node, Weight& weight) {
  LQ_ASSIGN_OR_RETURN(size_t tensor, TensorOf(node, node.inputs[0]));
  const PlanTensor found = plan_.tensors[tensor];
  const std::string& name = graph_.value(node.inputs[1]).name;
  std::string why;
  if (!found.encoding) {
    why = fmt::format("'{}' has no encoding", graph_.value(node.inputs[0]).name);
  } else if (!constants_.EncodingOf(node.inputs[1])) {
    why = fmt::format("weight '{}' has no encoding", name);
  } else if (!weight.encoding || VariesInChannels(*weight.encoding, weight.constant->shape)) {
    why = fmt::format("float scales of weight '{}' vary along the sum", name);
  } else {
    return LayerInput{tensor, ToUnsigned(*found.encoding), ""};
  }
  if (weight.encoding && BitwidthOf(*weight.encoding) > 8) RoundToFloats(weight);
  if (found.encoding) {
    const ValueTable table{AllCodes(tensor).f32, {}};
    LQ_ASSIGN_OR_RETURN(tensor,
                        Emit(MakeValueLookupStep(table), "Dequantize", node, {tensor}, NewTensor(std::nullopt, false)));
  } else if (found.is_real) {
    LQ_ASSIGN_OR_RETURN(tensor, Emit(MakeNarrowStep(), "ToFloat", node, {tensor}, NewTensor(std::nullopt, false)));
  }
  return LayerInput{tensor, std::nullopt, why};
}

Result<Chain> Planner::TakeWeightedChain(const Node& node, int64_t channels) {
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kAbsent;
  LQ_ASSIGN_OR_RETURN(Chain chain,
                      TakeChain(node, {has_bias ? 0 : channels, node.op != "Gemm" && node.op != "MatMul", true}));
  LQ_RETURN_IF_ERROR(FuseClampBehind(chain));
  return chain;
}

Status Planner::EmitLayer(std::unique_ptr<Step> step, const Node& node, const Chain& chain, const LayerInput& input) {
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> result, ResultEncoding(chain));
  LQ_ASSIGN_OR_RETURN(const size_t output,
                      Emit(std::move(step), chain.ops, node, {input.tensor}, NewTensor(result, true)));
  plan_.steps.back().why = input.why;
  return EmitMovements(chain, output);
}

Conv2dSpec Planner::MakeConvSpec(const Node& node, const WindowAttributes& window, const LayerInput& input,
                                 const OutputStage& stage) const {
  Conv2dSpec spec;
  spec.name = graph_.Describe(node);
  spec.groups = static_cast<size_t>(std::max<int64_t>(node.Int("group", 1), 1));
  spec.kernel = window.kernel;
  spec.stride = window.stride;
  spec.dilation = window.dilation;
  spec.padding = window.padding;
  spec.input = input.codes;
  spec.output = stage;
  return spec;
}

Status Planner::PlanConv(const Node& node) {
  const Constant* constant = constants_.Find(node.inputs[1]);
  if (constant != nullptr && constant->shape.rank() == 5) return PlanConv3d(node);
  LQ_ASSIGN_OR_RETURN(Weight weight, FindWeight(node, 4, 0));
  LQ_ASSIGN_OR_RETURN(const LayerInput input, FindLayerInput(node, weight));
  const Shape image = plan_.shapes[input.tensor];
  const int64_t groups = node.Int("group", 1);
  const int64_t in_channels = image.rank() == 4 ? image[3] : 0;
  if (groups < 1 || weight.constant->shape[1] * groups != in_channels) {
    return InvalidArgument(fmt::format("{}: weight '{}' of shape {} in {} groups does not fit {} input channels",
                                       graph_.Describe(node), graph_.value(node.inputs[1]).name,
                                       weight.constant->shape.ToString(), groups, in_channels));
  }
  const std::array<size_t, 2> kernel{weight.dim(2), weight.dim(3)};
  LQ_ASSIGN_OR_RETURN(const WindowAttributes window, ReadWindow(graph_, node, kernel, image));
  LQ_ASSIGN_OR_RETURN(const Chain chain, TakeWeightedChain(node, weight.constant->shape[0]));
  StageArrays arrays;
  LQ_ASSIGN_OR_RETURN(const OutputStage stage, MakeStage(node, chain, weight.dim(0), arrays));
  Conv2dSpec spec = MakeConvSpec(node, window, input, stage);
  spec.in_channels = static_cast<size_t>(in_channels);
  spec.out_channels = weight.dim(0);
  spec.weight = weight.values();
  spec.weight_encoding = weight.encoding;
  LQ_ASSIGN_OR_RETURN(Conv2d conv, Conv2d::Prepare(spec, options_));
  return EmitLayer(MakeConv2dStep(std::move(conv)), node, chain, input);
}

Status Planner::PlanMatrix(const Node& node) {
  const bool rows_are_channels = node.op == "Gemm" && node.Int("transB", 0) != 0;
  LQ_ASSIGN_OR_RETURN(Weight weight, FindWeight(node, 2, rows_are_channels ? 0 : 1));
  LQ_ASSIGN_OR_RETURN(const LayerInput input, FindLayerInput(node, weight));
  const size_t out_features = weight.dim(rows_are_channels ? 0 : 1),
               in_features = weight.dim(rows_are_channels ? 1 : 0);
  LQ_ASSIGN_OR_RETURN(const Chain chain, TakeWeightedChain(node, static_cast<int64_t>(out_features)));
  const size_t rank = plan_.shapes[input.tensor].rank();
  if (node.Int("transA", 0) != 0 || (rank != 2 && chain.batch_norm != nullptr)) {
    return Unsupported(
        fmt::format("{}: input '{}' of rank {}, transA {}; layers take rows of features, with a batch normalization of "
                    "rank 2",
                    graph_.Describe(node), graph_.value(node.inputs[0]).name, rank, node.Int("transA", 0)));
  }
  StageArrays arrays;
  LQ_ASSIGN_OR_RETURN(const OutputStage stage, MakeStage(node, chain, out_features, arrays));
  const auto fill = [&](auto spec) {
    spec.name = graph_.Describe(node);
    spec.in_features = in_features;
    spec.out_features = out_features;
    spec.weight = weight.values();
    spec.transposed = !rows_are_channels;
    if (weight.encoding) spec.weight_encoding = rows_are_channels ? *weight.encoding : SwapAxes(*weight.encoding);
    spec.output = stage;
    return spec;
  };
  if (!input.codes) {
    const auto spec = fill(FloatLinearSpec{});
    LQ_ASSIGN_OR_RETURN(FloatLinear linear, FloatLinear::Prepare(spec, options_));
    return EmitLayer(MakeLinearStep(spec.name, std::move(linear), in_features, out_features), node, chain, input);
  }
  auto spec = fill(LinearSpec{});
  spec.input = *input.codes;
  LQ_ASSIGN_OR_RETURN(Linear linear, Linear::Prepare(spec, options_));
  return EmitLayer(MakeLinearStep(spec.name, std::move(linear), in_features, out_features), node, chain, input);
}

}  // namespace lq
