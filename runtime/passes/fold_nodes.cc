// Nodes of constants alone: masks, positions and the like. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

using simulator::GraphConstant;
using simulator::SimTensor;

constexpr double kLargestInteger = 1 << 24;          // float32 holds all integers up to it
constexpr int64_t kMostElements = int64_t{1} << 26;  // of all that is folded: a small file gets 256 MB at most
constexpr const char* kFoldable[] = {"Abs",     "Add",
                                     "And",     "Cast",
                                     "Ceil",    "Clip",
                                     "Concat",  "ConstantOfShape",
                                     "Cos",     "CumSum",
                                     "Div",     "Equal",
                                     "Exp",     "Expand",
                                     "Flatten", "Floor",
                                     "Gather",  "Greater",
                                     "IsNaN",   "Less",
                                     "Log",     "LessOrEqual",
                                     "Max",     "Min",
                                     "Mul",     "Neg",
                                     "Not",     "Or",
                                     "Pow",     "GreaterOrEqual",
                                     "Range",   "Reciprocal",
                                     "Reshape", "Sin",
                                     "Slice",   "Sqrt",
                                     "Squeeze", "Sub",
                                     "Tile",    "Transpose",
                                     "Trilu",   "Unsqueeze",
                                     "Where",   "Xor"};

bool IsFoldable(const Node& node) {
  return node.domain.empty() && node.outputs.size() == 1 && node.outputs[0] != kAbsent &&
         std::find(std::begin(kFoldable), std::end(kFoldable), node.op) != std::end(kFoldable);
}

bool IsWhole(float value) { return std::trunc(value) == value && std::abs(value) <= kLargestInteger; }

class NodeFolder {
 public:
  explicit NodeFolder(Graph& graph) : graph_(graph) {}

  Status Run() {
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      if (IsFoldable(node) && HoldsConstants(node)) {
        LQ_RETURN_IF_ERROR(Fold(node));
        continue;
      }
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (simulator::TakesConstant(node, i) || !HoldsIntegers(node.inputs[i])) continue;
        LQ_ASSIGN_OR_RETURN(node.inputs[i], AsFloats(node, node.inputs[i]));
      }
      kept.push_back(std::move(node));
    }
    graph_.nodes = std::move(kept);
    return OkStatus();
  }

 private:
  // Constants without encodings: with one, an operand is a quantized tensor, not a number.
  bool HoldsConstants(const Node& node) const {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kAbsent || (graph_.value(id).constant.has_value() && !graph_.value(id).encoding.has_value());
    });
  }

  bool HoldsIntegers(ValueId id) const {
    return id != kAbsent && graph_.value(id).constant.has_value() && graph_.value(id).constant->dtype == DType::kS64;
  }

  // Operators take numbers as float32, integers and truths among them.
  Result<ValueId> AsFloats(const Node& node, ValueId id) {
    const Constant& integers = *graph_.value(id).constant;
    Constant floats{DType::kF32, integers.shape, {}, {}};
    for (int64_t value : integers.s64) {
      floats.f32.push_back(static_cast<float>(value));
      if (std::abs(floats.f32.back()) > kLargestInteger) {
        return Unsupported(fmt::format("{}: integer {} of '{}'; supported: up to {}", graph_.Describe(node), value,
                                       graph_.value(id).name, kLargestInteger));
      }
    }
    return AddConstant(graph_, graph_.value(id).name, std::move(floats));
  }

  static SimTensor TensorOf(const Constant& constant) {
    if (constant.dtype == DType::kF64) return simulator::MakeReal(constant.shape, constant.f64);
    return simulator::MakeF32(constant.shape, constant.f32);
  }

  // The exact simulator says what comes out.
  Status Fold(const Node& node) {
    bool integers = node.op != "ConstantOfShape" || TakesIntegers(node);
    Node floats = node;
    std::vector<std::optional<GraphConstant>> constants;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kAbsent || simulator::TakesConstant(node, i)) continue;
      integers = integers && HoldsIntegers(node.inputs[i]);
      if (!HoldsIntegers(node.inputs[i])) continue;
      LQ_ASSIGN_OR_RETURN(floats.inputs[i], AsFloats(node, node.inputs[i]));
    }
    integers = integers && (node.op != "Cast" || node.Int("to", kOnnxFloat) != kOnnxFloat);
    constants.resize(graph_.values.size());
    std::vector<SimTensor> tensors(floats.inputs.size());
    std::vector<const SimTensor*> inputs(floats.inputs.size(), nullptr);
    for (size_t i = 0; i < floats.inputs.size(); ++i) {
      if (floats.inputs[i] == kAbsent) continue;
      const Constant& constant = *graph_.value(floats.inputs[i]).constant;
      constants[static_cast<size_t>(floats.inputs[i])] = GraphConstant{&constant, nullptr};
      if (simulator::TakesConstant(node, i)) continue;
      tensors[i] = TensorOf(constant);
      inputs[i] = &tensors[i];
    }
    const SimulatorOptions options;
    LQ_ASSIGN_OR_RETURN(const simulator::RunNode run, simulator::PrepareNode({graph_, floats, options, constants}));
    LQ_ASSIGN_OR_RETURN(SimTensor result, run(inputs));
    return Keep(node, std::move(result), integers);
  }

  static bool TakesIntegers(const Node& node) {
    const auto found = node.attributes.find("value");
    const auto* value = found != node.attributes.end() ? std::get_if<Constant>(&found->second) : nullptr;
    return value != nullptr && value->dtype == DType::kS64;
  }

  // Of integers come integers: they may be a shape.
  Status Keep(const Node& node, SimTensor result, bool integers) {
    folded_ += result.shape.NumElements();
    const bool whole = std::all_of(result.f32.begin(), result.f32.end(), IsWhole);
    if (folded_ > kMostElements ||
        (integers && (!whole || result.kind == simulator::Kind::kReal || node.op == "Div"))) {
      return Unsupported(
          fmt::format("{}: made of constants, of shape {}; supported: {} elements in all, of integers "
                      "those up to {} and no quotients",
                      graph_.Describe(node), result.shape.ToString(), kMostElements, kLargestInteger));
    }
    Constant constant{DType::kF32, result.shape, {}, {}};
    if (result.kind == simulator::Kind::kReal) {
      constant.dtype = DType::kF64;
      constant.f64 = std::move(result.real);
    } else if (integers) {
      constant.dtype = DType::kS64;
      constant.s64.assign(result.f32.begin(), result.f32.end());
    } else {
      constant.f32 = std::move(result.f32);
    }
    graph_.value(node.outputs[0]).constant = std::move(constant);
    return OkStatus();
  }

  Graph& graph_;
  int64_t folded_ = 0;
};

}  // namespace

Status FoldNodes(Graph& graph) { return NodeFolder(graph).Run(); }

}  // namespace lq
