#include "runtime/plan/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <variant>

#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Whether there are steps that read channels last.
bool HasImages(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return node.op == "Conv" || node.op == "ConvTranspose" || node.op == "BatchNormalization" ||
           node.op.find("Pool") != std::string::npos;
  });
}

}  // namespace

Planner::Planner(const Graph& graph, const SessionOptions& options)
    : graph_(graph), options_(options), constants_(graph), consumers_(graph), absorbed_(graph.nodes.size(), false) {
  plan_.layout = Layout(HasImages(graph));
}

Result<Plan> Planner::Build(const Graph& graph, const SessionOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  Planner planner(graph, options);
  LQ_RETURN_IF_ERROR(planner.PlanInputs());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!planner.absorbed_[i]) LQ_RETURN_IF_ERROR(planner.PlanNode(i));
  }
  LQ_RETURN_IF_ERROR(planner.PlanOutputs());
  return std::move(planner.plan_);
}

Status Planner::PlanInputs() {
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const Value& value = graph_.value(graph_.inputs[i]);
    if (!value.shape) return InvalidArgument(fmt::format("input '{}' has no shape", value.name));
    Shape shape = *value.shape;
    for (size_t d = 0; d < shape.rank(); ++d) {
      if (shape[d] < 0) shape[d] = 1;
    }
    const auto* encoding = value.encoding ? std::get_if<PerTensor>(&*value.encoding) : nullptr;
    if (value.encoding && encoding == nullptr) {
      return Unsupported(
          fmt::format("input '{}' is encoded {}; activations run per tensor", value.name, Describe(*value.encoding)));
    }
    plan_.tensors.push_back({graph_.inputs[i], std::nullopt, PlanTensor::Place::kGraphInput, i});
    plan_.shapes.push_back(shape);
    const Node node{value.name, "QuantizeLinear", "", {}, {}, {}};
    auto step = encoding != nullptr ? MakeQuantizeStep(*encoding, options_) : MakeEnterStep();
    PlanTensor tensor = NewTensor(encoding != nullptr ? std::optional(*encoding) : std::nullopt, false);
    tensor.value = graph_.inputs[i];
    LQ_ASSIGN_OR_RETURN(tensor_of_[graph_.inputs[i]], Emit(std::move(step), encoding != nullptr ? "Quantize" : "Input",
                                                           node, {plan_.tensors.size() - 1}, tensor));
  }
  return OkStatus();
}

Status Planner::PlanOutputs() {
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const Value& value = graph_.value(graph_.outputs[i]);
    const Node node{value.name, "DequantizeLinear", "", {}, {}, {}};
    LQ_ASSIGN_OR_RETURN(const size_t source, TensorOf(node, graph_.outputs[i]));
    const PlanTensor output{graph_.outputs[i], std::nullopt, PlanTensor::Place::kGraphOutput, i};
    const std::optional<PerTensor> encoding = plan_.tensors[source].encoding;
    LQ_ASSIGN_OR_RETURN(const size_t tensor,
                        Emit(MakeOutputStep(encoding, options_), "Output", node, {source}, output));
    (void)tensor;
  }
  return OkStatus();
}

Status Planner::PlanNode(size_t index) {
  const Node& node = graph_.nodes[index];
  if (std::all_of(node.inputs.begin(), node.inputs.end(),
                  [&](ValueId id) { return id == kAbsent || constants_.Find(id) != nullptr; })) {
    return Unsupported(fmt::format("{}: all inputs are constants", graph_.Describe(node)));
  }
  if (node.op == "Conv") return PlanConv(node);
  if (node.op == "ConvTranspose") return PlanConvTranspose(node);
  const Constant* second = node.op == "MatMul" ? constants_.Find(node.inputs[1]) : nullptr;
  const bool no_layer = second == nullptr || second->shape.rank() != 2 ||
                        (IsWide(node.inputs[1]) && IsCoded(node.inputs[0]));  // of floats they are float weights
  if (node.op == "MatMul" && no_layer) return PlanProduct(node);
  if (node.op == "Gemm" || node.op == "MatMul") return PlanMatrix(node);
  if (node.op == "Add") return PlanAdd(node);
  if (node.op == "AveragePool" || node.op == "GlobalAveragePool") return PlanAverage(node);
  if (node.op == "Relu" || node.op == "Clip" || node.op == "BatchNormalization") return PlanUnary(node);
  if (node.op == "Concat") return PlanConcat(node);
  if (node.op == "Gather" && constants_.Find(node.inputs[1]) == nullptr) return PlanGather(node);
  if (node.op == "GatherElements") return PlanSelection(node);
  if (IsMovement(node)) return PlanMovement(node);
  if (node.op == "LSTM" || node.op == "GRU") return PlanValues(node);  // with inputs that may be left out
  return PlanElementwise(node);
}

// Of 16 bits with an offset, as of a constant that the tool takes for an activation: no layer holds such integers.
bool Planner::IsWide(ValueId weight) const {
  const std::optional<Encoding>& encoding = constants_.EncodingOf(weight);
  const auto* e = encoding.has_value() ? std::get_if<PerTensor>(&*encoding) : nullptr;
  return e != nullptr && (e->grid.qmin() + e->offset < INT16_MIN || e->grid.qmax() + e->offset > INT16_MAX);
}

PlanTensor Planner::NewTensor(const std::optional<PerTensor>& encoding, bool is_real) {
  PlanTensor tensor;
  tensor.encoding = encoding;
  tensor.is_real = !encoding && is_real;
  return tensor;
}

bool Planner::IsCoded(ValueId value) const {
  const auto it = tensor_of_.find(value);
  return it != tensor_of_.end() && plan_.tensors[it->second].encoding.has_value();
}

Result<std::optional<PerTensor>> Planner::ResultEncoding(const Chain& chain) const {
  return EncodingOfValue(chain.result);
}

Result<std::optional<PerTensor>> Planner::EncodingOfValue(ValueId id) const {
  const Value& value = graph_.value(id);
  if (!value.encoding) return std::optional<PerTensor>();
  if (const auto* e = std::get_if<PerTensor>(&*value.encoding)) return std::optional<PerTensor>(*e);
  return Unsupported(
      fmt::format("tensor '{}' is encoded {}; activations run per tensor", value.name, Describe(*value.encoding)));
}

Result<Chain> Planner::TakeChain(const Node& node, ChainRules rules) {
  LQ_ASSIGN_OR_RETURN(Chain chain, FollowChain(context(), node, rules));
  for (size_t index : chain.absorbed) absorbed_[index] = true;
  return chain;
}

Result<size_t> Planner::Emit(std::unique_ptr<Step> step, const std::string& op, const Node& node,
                             std::vector<size_t> inputs, PlanTensor output) {
  std::vector<Shape> shapes;
  for (size_t input : inputs) shapes.push_back(plan_.shapes[input]);
  step->SetLayout(plan_.layout);
  LQ_ASSIGN_OR_RETURN(const Shape shape, step->OutputShape(shapes));
  if (shape.NumElements() < 0) {  // the steps behind it multiply its dimensions
    return InvalidArgument(
        fmt::format("{} '{}': its output of shape {} is too large", op, node.name, shape.ToString()));
  }
  const size_t tensor = plan_.tensors.size();
  plan_.tensors.push_back(std::move(output));
  plan_.shapes.push_back(shape);
  plan_.steps.push_back({std::move(step), op, node.name, std::move(inputs), tensor});
  return tensor;
}

Status Planner::EmitMovements(const Chain& chain, size_t tensor) {
  for (const Node* node : chain.movements) {
    if (MovesNothing(node->op)) continue;
    LQ_ASSIGN_OR_RETURN(auto step, MakeMovement(*node, tensor));
    const PlanTensor output = NewTensor(plan_.tensors[tensor].encoding, plan_.tensors[tensor].is_real);
    LQ_ASSIGN_OR_RETURN(tensor, Emit(std::move(step), node->op, *node, {tensor}, output));
  }
  plan_.tensors[tensor].value = chain.result;
  tensor_of_[chain.result] = tensor;
  return OkStatus();
}

}  // namespace lq
