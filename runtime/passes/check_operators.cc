#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/passes/constant_uses.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/operator_rules.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kMinOpset = 7, kMaxOpset = 25;

class OperatorChecker {
 public:
  explicit OperatorChecker(const Graph& graph) : graph_(graph), uses_(graph) {}

  Status Check(const Node& node) const {
    const std::string owner = graph_.Describe(node);
    const OperatorRule* rule = node.domain.empty() ? FindOperatorRule(node.op) : nullptr;
    if (rule == nullptr) {
      return Unsupported(fmt::format("{}: operator '{}' of domain '{}' is not supported; supported in domain '': {}",
                                     owner, node.op, node.domain, SupportedOperators()));
    }
    LQ_RETURN_IF_ERROR(CheckOperands(owner, node, *rule));
    LQ_RETURN_IF_ERROR(CheckAttributes(owner, node, *rule));
    if (node.op == "Conv") return CheckConv(owner, node);
    if (node.op == "Gemm") return CheckGemm(owner, node);
    if (node.op == "BatchNormalization") return CheckBatchNormalization(owner, node);
    if (node.op == "Clip") return CheckClip(owner, node);
    if (node.op == "Reshape") return CheckConstant(owner, node, 1, DType::kS64, 1).status();
    if (node.op == "Resize") return CheckResize(owner, node);
    if (node.op == "MaxPool" || node.op == "AveragePool" || node.op == "LpPool") return CheckPool(owner, node);
    return OkStatus();
  }

 private:
  static Status CheckOperands(const std::string& owner, const Node& node, const OperatorRule& rule) {
    if (node.inputs.size() < rule.min_inputs || node.inputs.size() > rule.max_inputs) {
      return InvalidArgument(fmt::format("{}: {} inputs; {} to {} are supported", owner, node.inputs.size(),
                                         rule.min_inputs, rule.max_inputs));
    }
    for (size_t i = 0; i < rule.min_inputs; ++i) {
      if (node.inputs[i] == kAbsent) return InvalidArgument(fmt::format("{}: input {} is left out", owner, i));
    }
    size_t outputs = node.outputs.size();
    while (outputs > 1 && node.outputs[outputs - 1] == kAbsent) --outputs;
    if (outputs == 1 && node.outputs[0] != kAbsent) return OkStatus();
    return Unsupported(fmt::format("{}: {} outputs; supported: 1", owner, outputs));
  }

  // Input `i` must be a constant of this type and rank.
  Result<const Constant*> CheckConstant(const std::string& owner, const Node& node, size_t i, DType dtype,
                                        size_t rank) const {
    const std::string& name = graph_.value(node.inputs[i]).name;
    const Constant* constant = uses_.Source(node.inputs[i]);
    if (constant == nullptr) {
      return Unsupported(fmt::format("{}: input {}, '{}', is computed; supported: constants", owner, i, name));
    }
    const bool is_coded_weight = dtype == DType::kF32 && constant->dtype == DType::kS8;
    if (constant->dtype != dtype && !is_coded_weight) {
      return InvalidArgument(
          fmt::format("{}: input {}, '{}', is {}, not {}", owner, i, name, NameOf(constant->dtype), NameOf(dtype)));
    }
    if (constant->shape.rank() != rank) {
      return Unsupported(fmt::format("{}: input {}, '{}', has shape {}; supported: {} dimensions", owner, i, name,
                                     constant->shape.ToString(), rank));
    }
    return constant;
  }

  // Input `i`, if there is one, must be `count` floats.
  Status CheckVector(const std::string& owner, const Node& node, size_t i, int64_t count,
                     DType dtype = DType::kF32) const {
    if (!HasInput(node, i)) return OkStatus();
    LQ_ASSIGN_OR_RETURN(const Constant* vector, CheckConstant(owner, node, i, dtype, 1));
    if (vector->shape[0] == count) return OkStatus();
    return InvalidArgument(fmt::format("{}: input {}, '{}', has {} elements, but there are {} channels", owner, i,
                                       graph_.value(node.inputs[i]).name, vector->shape[0], count));
  }

  // The bias of a Conv or Gemm is f32, or f64 where the file has its codes.
  Status CheckBias(const std::string& owner, const Node& node, int64_t count) const {
    const Constant* bias = HasInput(node, 2) ? uses_.Source(node.inputs[2]) : nullptr;
    const bool has_codes = bias != nullptr && bias->dtype == DType::kF64;
    return CheckVector(owner, node, 2, count, has_codes ? DType::kF64 : DType::kF32);
  }

  Status CheckConv(const std::string& owner, const Node& node) const {
    const Constant* source = uses_.Source(node.inputs[1]);
    const size_t own = source != nullptr ? source->shape.rank() : 4;
    const size_t rank = own == 3 || own == 5 ? own : 4;  // one to three spatial dimensions
    LQ_ASSIGN_OR_RETURN(const Constant* weight, CheckConstant(owner, node, 1, DType::kF32, rank));
    const Shape& shape = weight->shape;
    for (size_t i = 0; i < rank; ++i) {
      if (shape[i] < 1) return InvalidArgument(fmt::format("{}: weight shape {} is empty", owner, shape.ToString()));
    }
    const int64_t group = node.Int("group", 1);
    if (shape[0] % group != 0) {
      return InvalidArgument(
          fmt::format("{}: {} output channels are not divisible by {} groups", owner, shape[0], group));
    }
    const std::vector<int64_t> kernel = node.Ints("kernel_shape", {shape.dims().begin() + 2, shape.dims().end()});
    if (!std::equal(kernel.begin(), kernel.end(), shape.dims().begin() + 2, shape.dims().end())) {
      return InvalidArgument(
          fmt::format("{}: kernel_shape ({}), but weight shape {}", owner, fmt::join(kernel, ", "), shape.ToString()));
    }
    LQ_RETURN_IF_ERROR(CheckSpatial(owner, node, rank - 2));
    return CheckBias(owner, node, shape[0]);
  }

  // Lists of a window's numbers go with its dimensions.
  static Status CheckSpatial(const std::string& owner, const Node& node, size_t dimensions) {
    constexpr std::pair<const char*, size_t> kLists[] = {
        {"dilations", 1}, {"kernel_shape", 1}, {"pads", 2}, {"strides", 1}};
    for (const auto& list : kLists) {
      const size_t expected = dimensions * list.second, numbers = node.Ints(list.first, {}).size();
      if (numbers == 0 || numbers == expected) continue;
      return Unsupported(fmt::format("{}: attribute '{}' has {} numbers; supported: {} ({} spatial dimensions)", owner,
                                     list.first, numbers, expected, dimensions));
    }
    return OkStatus();
  }

  Status CheckGemm(const std::string& owner, const Node& node) const {
    LQ_ASSIGN_OR_RETURN(const Constant* weight, CheckConstant(owner, node, 1, DType::kF32, 2));
    return CheckGemmBias(owner, node, weight->shape[node.Int("transB", 0) != 0 ? 0 : 1]);
  }

  // C may be (n), (1, n), or one value for all.
  Status CheckGemmBias(const std::string& owner, const Node& node, int64_t n) const {
    if (!HasInput(node, 2)) return OkStatus();
    const Constant* bias = uses_.Source(node.inputs[2]);
    if (bias == nullptr || bias->shape.rank() != 2) {
      if (bias != nullptr && bias->shape.NumElements() == 1) return OkStatus();
      return CheckBias(owner, node, n);
    }
    const bool is_real = bias->dtype == DType::kF32 || bias->dtype == DType::kF64;
    if (is_real && bias->shape[0] == 1 && (bias->shape[1] == n || bias->shape[1] == 1)) return OkStatus();
    return Unsupported(fmt::format("{}: input 2, '{}', has shape {}; supported: ({}), (1, {}) or one value", owner,
                                   graph_.value(node.inputs[2]).name, bias->shape.ToString(), n, n));
  }

  Status CheckBatchNormalization(const std::string& owner, const Node& node) const {
    LQ_ASSIGN_OR_RETURN(const Constant* gamma, CheckConstant(owner, node, 1, DType::kF32, 1));
    for (size_t i = 2; i < 5; ++i) LQ_RETURN_IF_ERROR(CheckVector(owner, node, i, gamma->shape[0]));
    return OkStatus();
  }

  // Bounds are attributes up to operator set 10, inputs from 11 on.
  Status CheckClip(const std::string& owner, const Node& node) const {
    if (node.inputs.size() > 1 && !node.attributes.empty()) {
      return InvalidArgument(fmt::format("{}: bounds both as {} inputs and as {} attributes", owner,
                                         node.inputs.size() - 1, node.attributes.size()));
    }
    for (size_t i = 1; i < 3; ++i) {
      if (!HasInput(node, i)) continue;
      const Constant* bound = uses_.Source(node.inputs[i]);
      const size_t rank = bound != nullptr && bound->shape == Shape{1} ? 1 : 0;  // scalars, also spelled (1)
      LQ_RETURN_IF_ERROR(CheckConstant(owner, node, i, DType::kF32, rank).status());
    }
    return OkStatus();
  }

  static Status CheckResize(const std::string& owner, const Node& node) {
    const std::string policy = node.String("keep_aspect_ratio_policy", "stretch");
    if (policy == "stretch") return OkStatus();
    return Unsupported(fmt::format("{}: attribute 'keep_aspect_ratio_policy' is '{}'; supported: stretch", owner,
                                   policy.substr(0, 64)));
  }

  static Status CheckPool(const std::string& owner, const Node& node) {
    const size_t dimensions = node.Ints("kernel_shape", {}).size();
    if (dimensions != 0) return CheckSpatial(owner, node, dimensions);
    return InvalidArgument(fmt::format("{}: attribute 'kernel_shape' is missing", owner));
  }

  const Graph& graph_;
  const ConstantUses uses_;
};

}  // namespace

Status CheckOperators(const Graph& graph) {
  if (graph.opset < kMinOpset || graph.opset > kMaxOpset) {
    return Unsupported(
        fmt::format("ONNX operator set {} of domain ''; supported: {} to {}", graph.opset, kMinOpset, kMaxOpset));
  }
  const OperatorChecker checker(graph);
  for (const Node& node : graph.nodes) LQ_RETURN_IF_ERROR(checker.Check(node));
  return OkStatus();
}

}  // namespace lq
