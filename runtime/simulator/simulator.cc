// The walk over the graph: what is quantized when, who sees it, and what comes out.
#include "runtime/simulator/simulator.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/passes/dequantize.h"
#include "runtime/shared_lengths.h"
#include "runtime/simulator/operators.h"
#include "runtime/simulator/tensor.h"
#include "runtime/status_macros.h"

namespace lq {

using simulator::GraphConstant;
using simulator::NodeContext;
using simulator::RunNode;
using simulator::SimTensor;

struct Simulator::Impl {
  struct Step {
    RunNode run;
    std::vector<ValueId> inputs;  // kAbsent where the input is absent or was taken at preparation
    ValueId output;
    std::vector<ValueId> last_uses;  // tensors that no later step reads
  };
  using Tensors = std::vector<std::optional<SimTensor>>;

  std::shared_ptr<const Graph> graph;
  SimulatorOptions options;
  Tensors constants;  // by ValueId
  std::vector<Step> steps;

  Status AddConstant(ValueId id, const std::vector<std::optional<GraphConstant>>& constants);
  Status AddStep(const Node& node, const std::vector<std::optional<GraphConstant>>& constants);
  Status CheckEncoding(ValueId id) const;
  void FindLastUses();
  Status EnterInputs(std::span<const ConstTensorView> inputs, const Observer& observer, Tensors& tensors) const;
  Status RunStep(const Step& step, const Observer& observer, Tensors& tensors) const;
  Status Store(ValueId id, SimTensor tensor, const Observer& observer, Tensors& tensors) const;
  const SimTensor* Find(ValueId id, const Tensors& tensors) const;
};

namespace {

// `floats` keeps what takes the place of weights in codes.
Result<std::vector<std::optional<GraphConstant>>> FindConstants(const Graph& graph, std::deque<Constant>& floats) {
  std::vector<std::optional<GraphConstant>> constants(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const Value& value = graph.values[i];
    if (!value.constant.has_value()) continue;
    constants[i] = GraphConstant{&*value.constant, value.encoding.has_value() ? &*value.encoding : nullptr};
    if (value.constant->dtype != DType::kS8) continue;
    LQ_RETURN_IF_ERROR(Dequantize(value.name, *value.encoding, floats.emplace_back(*value.constant)));
    constants[i]->data = &floats.back();
  }
  return constants;
}

Status CheckInput(const Value& value, const ConstTensorView& input) {
  if (input.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("input '{}' is {}, but f32 is needed", value.name, NameOf(input.dtype)));
  }
  const int64_t elements = input.shape.NumElements();
  if (elements < 0 || input.bytes.size() != static_cast<size_t>(elements) * sizeof(float)) {
    return InvalidArgument(fmt::format("input '{}': {} bytes, but shape {} of f32", value.name, input.bytes.size(),
                                       input.shape.ToString()));
  }
  if (!value.shape.has_value()) return OkStatus();
  bool fits = input.shape.rank() == value.shape->rank();
  for (size_t d = 0; fits && d < input.shape.rank(); ++d) {
    fits = (*value.shape)[d] == -1 || (*value.shape)[d] == input.shape[d];
  }
  if (fits) return OkStatus();
  return InvalidArgument(fmt::format("input '{}' has shape {}, but the model needs {}", value.name,
                                     input.shape.ToString(), value.shape->ToString()));
}

// An observer may write codes, but only ones that the encoding has.
Status CheckCodes(const Value& value, const ObservedTensor& seen, size_t elements) {
  if (seen.codes.size() != elements) {
    return InvalidArgument(
        fmt::format("'{}': the observer left {} codes of {}", value.name, seen.codes.size(), elements));
  }
  if (seen.t.size() != seen.near_tie.size() || (!seen.t.empty() && seen.t.size() != elements)) {
    return InvalidArgument(fmt::format("'{}': the observer left {} values and {} distances of {}", value.name,
                                       seen.t.size(), seen.near_tie.size(), elements));
  }
  const Grid grid = seen.encoding.grid;
  for (int32_t code : seen.codes) {
    if (code >= grid.qmin() && code <= grid.qmax()) continue;
    return InvalidArgument(
        fmt::format("'{}': the observer wrote code {} outside {}..{}", value.name, code, grid.qmin(), grid.qmax()));
  }
  return OkStatus();
}

Simulator::Output ToOutput(const SimTensor& tensor, bool record) {
  Simulator::Output out{tensor.shape, std::vector<float>(tensor.size()), {}};
  if (record) out.magnitude = simulator::Magnitudes(tensor);
  for (size_t i = 0; i < out.values.size(); ++i) {
    out.values[i] = tensor.kind == simulator::Kind::kReal ? static_cast<float>(tensor.real[i]) : tensor.F32(i);
  }
  return out;
}

}  // namespace

const SimTensor* Simulator::Impl::Find(ValueId id, const Tensors& tensors) const {
  if (id == kAbsent) return nullptr;
  const auto index = static_cast<size_t>(id);
  if (constants[index].has_value()) return &*constants[index];
  return tensors[index].has_value() ? &*tensors[index] : nullptr;
}

// A constant that arrives as a tensor: f32, coded where it has an encoding, real where that has several scales.
Status Simulator::Impl::AddConstant(ValueId id, const std::vector<std::optional<GraphConstant>>& all) {
  std::optional<SimTensor>& slot = constants[static_cast<size_t>(id)];
  if (slot.has_value()) return OkStatus();
  const GraphConstant& constant = *all[static_cast<size_t>(id)];
  const std::string& name = graph->value(id).name;
  const Constant& data = *constant.data;
  if (data.dtype == DType::kF64) {
    slot = simulator::MakeReal(data.shape, data.f64);
    if (!options.any_float_bias) return OkStatus();
    slot->magnitude = simulator::BiasSlack(data, options);
    for (size_t i = 0; i < data.f64.size(); ++i) slot->magnitude[i] += std::abs(data.f64[i]);
    return OkStatus();
  }
  if (data.dtype != DType::kF32 || data.shape.NumElements() != static_cast<int64_t>(data.f32.size())) {
    return Unsupported(fmt::format("constant '{}' of shape {} is {} with {} floats, but f32 values are needed", name,
                                   data.shape.ToString(), NameOf(data.dtype), data.f32.size()));
  }
  slot = simulator::MakeF32(data.shape, data.f32);
  if (constant.encoding == nullptr) return OkStatus();
  LQ_RETURN_IF_ERROR(ValidateEncoding(name, *constant.encoding, data.shape));
  const auto* encoding = std::get_if<PerTensor>(constant.encoding);
  if (encoding == nullptr) {  // code * scale has no one scale: an embedding
    slot = simulator::MakeReal(data.shape,
                               reference::RoundToGrid(data.f32, data.shape, *constant.encoding, options.profile));
    return OkStatus();
  }
  std::vector<int32_t> w = simulator::Quantize(*slot, *encoding, options.profile, false).codes;
  for (int32_t& code : w) code += encoding->offset;
  slot = simulator::MakeCoded(data.shape, std::move(w), *encoding);
  return OkStatus();
}

Status Simulator::Impl::CheckEncoding(ValueId id) const {
  const Value& value = graph->value(id);
  if (!value.encoding.has_value()) return OkStatus();
  if (!std::holds_alternative<PerTensor>(*value.encoding)) {
    return Unsupported(fmt::format("activation '{}' is {}, but only per-tensor encodings are supported", value.name,
                                   Describe(*value.encoding)));
  }
  return ValidateEncoding(value.name, *value.encoding, Shape{});
}

Status Simulator::Impl::AddStep(const Node& node, const std::vector<std::optional<GraphConstant>>& all) {
  const NodeContext context{*graph, node, options, all};
  LQ_ASSIGN_OR_RETURN(RunNode run, simulator::PrepareNode(context));
  Step step{std::move(run), node.inputs, node.outputs[0], {}};
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (context.ConstantInput(i) == nullptr) continue;
    if (simulator::TakesConstant(node, i)) {
      step.inputs[i] = kAbsent;
    } else {
      LQ_RETURN_IF_ERROR(AddConstant(node.inputs[i], all));
    }
  }
  LQ_RETURN_IF_ERROR(CheckEncoding(step.output));
  steps.push_back(std::move(step));
  return OkStatus();
}

void Simulator::Impl::FindLastUses() {
  std::vector<bool> used(graph->values.size());
  for (ValueId id : graph->outputs) used[static_cast<size_t>(id)] = true;
  for (size_t i = steps.size(); i-- > 0;) {
    std::vector<ValueId> ids = steps[i].inputs;
    ids.push_back(steps[i].output);
    for (ValueId id : ids) {
      if (id == kAbsent || used[static_cast<size_t>(id)]) continue;
      used[static_cast<size_t>(id)] = true;
      steps[i].last_uses.push_back(id);
    }
  }
}

// Quantizes a tensor that has an encoding, shows it, and keeps it.
Status Simulator::Impl::Store(ValueId id, SimTensor tensor, const Observer& observer, Tensors& tensors) const {
  const Value& value = graph->value(id);
  std::optional<SimTensor>& slot = tensors[static_cast<size_t>(id)];
  if (!value.encoding.has_value()) {
    slot = std::move(tensor);
    return OkStatus();
  }
  const auto& encoding = std::get<PerTensor>(*value.encoding);
  ObservedTensor seen = simulator::Quantize(tensor, encoding, options.profile, options.record);
  seen.id = id;
  if (observer) {
    observer(seen);
    LQ_RETURN_IF_ERROR(CheckCodes(value, seen, tensor.size()));
  }
  for (int32_t& code : seen.codes) code += encoding.offset;
  slot = simulator::MakeCoded(tensor.shape, std::move(seen.codes), encoding);
  for (size_t i = 0; i < seen.t.size(); ++i) slot->rounding.push_back({seen.t[i], seen.near_tie[i]});
  return OkStatus();
}

Status Simulator::Impl::EnterInputs(std::span<const ConstTensorView> inputs, const Observer& observer,
                                    Tensors& tensors) const {
  if (inputs.size() != graph->inputs.size()) {
    return InvalidArgument(fmt::format("{} inputs, but the model has {}", inputs.size(), graph->inputs.size()));
  }
  std::vector<Shape> shapes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = graph->inputs[i];
    LQ_RETURN_IF_ERROR(CheckInput(graph->value(id), inputs[i]));
    std::vector<float> values(inputs[i].bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), inputs[i].bytes.data(), inputs[i].bytes.size());
    LQ_RETURN_IF_ERROR(Store(id, simulator::MakeF32(inputs[i].shape, std::move(values)), observer, tensors));
    shapes.push_back(inputs[i].shape);
  }
  return CheckSharedLengths(SharedLengthsOf(*graph), shapes);
}

Status Simulator::Impl::RunStep(const Step& step, const Observer& observer, Tensors& tensors) const {
  std::vector<const SimTensor*> inputs;
  for (ValueId id : step.inputs) {
    const SimTensor* tensor = Find(id, tensors);
    if (tensor == nullptr && id != kAbsent) {
      return InvalidArgument(
          fmt::format("tensor '{}' is used before any node or input makes it", graph->value(id).name));
    }
    inputs.push_back(tensor);
  }
  LQ_ASSIGN_OR_RETURN(SimTensor output, step.run(inputs));
  LQ_RETURN_IF_ERROR(Store(step.output, std::move(output), observer, tensors));
  for (ValueId id : step.last_uses) tensors[static_cast<size_t>(id)].reset();
  return OkStatus();
}

Simulator::Simulator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Simulator::Simulator(Simulator&&) noexcept = default;
Simulator& Simulator::operator=(Simulator&&) noexcept = default;
Simulator::~Simulator() = default;

Result<Simulator> Simulator::Prepare(std::shared_ptr<const Graph> graph, const SimulatorOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->graph = std::move(graph);
  impl->options = options;
  impl->constants.resize(impl->graph->values.size());
  std::deque<Constant> floats;  // until the operators have made their weights of them
  using Constants = std::vector<std::optional<GraphConstant>>;
  LQ_ASSIGN_OR_RETURN(const Constants constants, FindConstants(*impl->graph, floats));
  for (ValueId id : impl->graph->inputs) LQ_RETURN_IF_ERROR(impl->CheckEncoding(id));
  for (const Node& node : impl->graph->nodes) LQ_RETURN_IF_ERROR(impl->AddStep(node, constants));
  for (ValueId id : impl->graph->outputs) {
    if (constants[static_cast<size_t>(id)].has_value()) LQ_RETURN_IF_ERROR(impl->AddConstant(id, constants));
  }
  impl->FindLastUses();
  return Simulator(std::move(impl));
}

Result<std::vector<Simulator::Output>> Simulator::Run(std::span<const ConstTensorView> inputs,
                                                      const Observer& observer) const {
  Impl::Tensors tensors(impl_->graph->values.size());
  LQ_RETURN_IF_ERROR(impl_->EnterInputs(inputs, observer, tensors));
  for (const Impl::Step& step : impl_->steps) LQ_RETURN_IF_ERROR(impl_->RunStep(step, observer, tensors));
  std::vector<Output> outputs;
  for (ValueId id : impl_->graph->outputs) {
    const SimTensor* tensor = impl_->Find(id, tensors);
    if (tensor == nullptr) {
      return InvalidArgument(fmt::format("output '{}' is made by no node", impl_->graph->value(id).name));
    }
    outputs.push_back(ToOutput(*tensor, impl_->options.record));
  }
  return outputs;
}

}  // namespace lq
