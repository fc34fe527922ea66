// Planning of pools.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/plan/planner.h"
#include "runtime/status_macros.h"

namespace lq {

Result<PoolSpec> Planner::MakePoolSpec(const Node& node, size_t tensor) const {
  PoolSpec spec;
  spec.name = graph_.Describe(node);
  spec.input = EncodingOf(tensor);
  spec.global = node.op == "GlobalAveragePool";
  if (spec.global) return spec;
  if (node.outputs.size() > 1 && node.outputs[1] != kAbsent) {
    return Unsupported(fmt::format("{}: its second output, the indices, is not computed", spec.name));
  }
  LQ_ASSIGN_OR_RETURN(const WindowAttributes window, ReadWindow(graph_, node, std::nullopt, plan_.shapes[tensor]));
  spec.kernel = window.kernel;
  spec.stride = window.stride;
  spec.dilation = window.dilation;
  spec.padding = window.padding;
  spec.ceil_mode = node.Int("ceil_mode", 0) != 0;
  spec.count_include_pad = node.Int("count_include_pad", 0) != 0;
  return spec;
}

bool Planner::PoolsCodes(const Node& node, size_t tensor) const {
  if (!plan_.tensors[tensor].encoding || plan_.shapes[tensor].rank() != 4) return false;
  const std::vector<int64_t> dilations = node.Ints("dilations", {});
  return node.op == "MaxPool" || std::all_of(dilations.begin(), dilations.end(), [](int64_t d) { return d == 1; });
}

Status Planner::PlanAverage(const Node& node) {
  LQ_ASSIGN_OR_RETURN(const size_t input, TensorOf(node, node.inputs[0]));
  if (!PoolsCodes(node, input)) return PlanValues(node);
  LQ_ASSIGN_OR_RETURN(PoolSpec spec, MakePoolSpec(node, input));
  LQ_ASSIGN_OR_RETURN(Chain chain, TakeChain(node, {}));
  LQ_RETURN_IF_ERROR(FuseClampBehind(chain));
  LQ_ASSIGN_OR_RETURN(spec.encoding, ResultEncoding(chain));
  spec.clip_min = chain.clip_min;
  spec.clip_max = chain.clip_max;
  const bool clipped = chain.clip_min != -__builtin_inff() || chain.clip_max != __builtin_inff();
  if (clipped && !spec.encoding) {
    return Unsupported(
        fmt::format("{}: graph output '{}' behind a clip has no encoding", spec.name, graph_.value(chain.result).name));
  }
  const PlanTensor output = NewTensor(spec.encoding, true);
  auto step = MakeAveragePoolStep(std::move(spec), options_);
  LQ_ASSIGN_OR_RETURN(const size_t tensor, Emit(std::move(step), chain.ops, node, {input}, output));
  return EmitMovements(chain, tensor);
}

}  // namespace lq
