// Nodes of constants alone: masks, positions and the like. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"
#include "runtime/transpose.h"

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

bool MovesOnly(const Node& node) {
  constexpr const char* kMovements[] = {"Concat", "Expand",  "Flatten", "Gather",    "Reshape",
                                        "Slice",  "Squeeze", "Tile",    "Transpose", "Unsqueeze"};
  return std::find(std::begin(kMovements), std::end(kMovements), node.op) != std::end(kMovements);
}

bool IsWhole(double value) { return std::trunc(value) == value && std::abs(value) <= kLargestInteger; }

class NodeFolder {
 public:
  explicit NodeFolder(Graph& graph) : graph_(graph) {}

  Status Run() {
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      if (TurnsWeight(node)) {
        LQ_RETURN_IF_ERROR(Turn(node));
        continue;
      }
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
  // Constants without encodings, or of one scale for the whole tensor: aimet_onnx quantizes masks and factors too, and
  // exporters cut the weights of an LSTM into gates, and compute biases of positions.
  bool HoldsConstants(const Node& node) const {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      if (id == kAbsent) return true;
      const Value& value = graph_.value(id);
      if (!value.constant.has_value()) return false;
      if (!value.encoding.has_value()) return true;
      return value.constant->dtype == DType::kF32 && std::holds_alternative<PerTensor>(*value.encoding);
    });
  }

  // The quantizer of a weight names the matrix before it is turned.
  bool TurnsWeight(const Node& node) const {
    if (!IsFoldable(node) || node.op != "Transpose" || node.inputs.size() != 1 || node.inputs[0] == kAbsent)
      return false;
    const Value& weight = graph_.value(node.inputs[0]);
    const bool is_matrix = weight.constant.has_value() && weight.constant->dtype == DType::kF32 &&
                           weight.constant->shape.rank() == 2 &&
                           node.Ints("perm", {1, 0}) == std::vector<int64_t>{1, 0};
    return is_matrix && weight.encoding.has_value() && !graph_.value(node.outputs[0]).encoding.has_value();
  }

  // Elements and axes; scales lie by channel and block, whatever the axes are. Error: a small file makes much of one.
  Status Turn(const Node& node) {
    const Value& weight = graph_.value(node.inputs[0]);
    if (!turned_.insert(node.inputs[0]).second) folded_ += weight.constant->shape.NumElements();
    if (folded_ > kMostElements) {
      return Unsupported(fmt::format("{}: constants copied into {} elements; supported: {} in all",
                                     graph_.Describe(node), folded_, kMostElements));
    }
    const auto move = [](auto& encoding) {
      if constexpr (requires { encoding.axis; }) encoding.axis = 1 - encoding.axis;
      if constexpr (requires { encoding.block_axis; }) std::swap(encoding.channel_axis, encoding.block_axis);
    };
    Encoding encoding = *weight.encoding;
    std::visit(move, encoding);
    const Shape& shape = weight.constant->shape;
    Constant turned{DType::kF32, Shape{shape[1], shape[0]}, {}, {}};
    turned.f32 = Transposed(weight.constant->f32, static_cast<size_t>(shape[0]), static_cast<size_t>(shape[1]));
    graph_.value(node.outputs[0]).encoding = std::move(encoding);
    graph_.value(node.outputs[0]).constant = std::move(turned);
    return OkStatus();
  }

  // The encoding that all operands and the result of a movement share: then the elements move as they are.
  std::optional<PerTensor> SharedEncoding(const Node& node) const {
    if (!MovesOnly(node)) return std::nullopt;
    std::vector<const Encoding*> encodings;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kAbsent || simulator::TakesConstant(node, i)) continue;
      const std::optional<Encoding>& own = graph_.value(node.inputs[i]).encoding;
      if (!own.has_value()) return std::nullopt;
      encodings.push_back(&*own);
    }
    if (const std::optional<Encoding>& out = graph_.value(node.outputs[0]).encoding; out.has_value()) {
      encodings.push_back(&*out);
    }
    std::optional<PerTensor> shared;
    for (const Encoding* encoding : encodings) {
      const auto* own = std::get_if<PerTensor>(encoding);
      if (own == nullptr || (shared.has_value() && *shared != *own)) return std::nullopt;
      shared = *own;
    }
    return shared;
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

  // Of the tool that made the encodings: what is folded here it has rounded itself.
  RoundingProfile Profile() const {
    return graph_.encodings_producer == "aimet-onnx" ? RoundingProfile::kAimetOnnx : RoundingProfile::kAimetDiv;
  }

  // A quantized operand as the float32 numbers that its codes are, unless those stay codes.
  SimTensor TensorOf(const Constant& constant, const Encoding* encoding) const {
    if (encoding != nullptr) {
      const std::vector<double> values = reference::RoundToGrid(constant.f32, constant.shape, *encoding, Profile());
      return simulator::MakeF32(constant.shape, {values.begin(), values.end()});
    }
    if (constant.dtype == DType::kF64) return simulator::MakeReal(constant.shape, constant.f64);
    return simulator::MakeF32(constant.shape, constant.f32);
  }

  // Constants with an encoding hold float32: reals are rounded to its grid first, once.
  SimTensor OnGrid(const SimTensor& reals, const PerTensor& grid) const {
    const ObservedTensor seen = simulator::Quantize(reals, grid, Profile(), false);
    std::vector<float> values;
    for (int32_t code : seen.codes) values.push_back(static_cast<float>(code + grid.offset) * grid.scale);
    return simulator::MakeF32(reals.shape, std::move(values));
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
    constexpr const char* kOfFloats[] = {"Cos", "Exp", "Log", "Reciprocal", "Sin", "Sqrt"};
    integers = integers && std::find(std::begin(kOfFloats), std::end(kOfFloats), node.op) == std::end(kOfFloats);
    if (node.op == "Cast") integers = node.Int("to", kOnnxFloat) != kOnnxFloat;
    integers = integers && node.op != "Div";  // TruncateQuotients puts a Cast behind it
    constants.resize(graph_.values.size());
    const std::optional<PerTensor> shared = SharedEncoding(node);
    std::vector<SimTensor> tensors(floats.inputs.size());
    std::vector<const SimTensor*> inputs(floats.inputs.size(), nullptr);
    for (size_t i = 0; i < floats.inputs.size(); ++i) {
      if (floats.inputs[i] == kAbsent) continue;
      const Constant& constant = *graph_.value(floats.inputs[i]).constant;
      constants[static_cast<size_t>(floats.inputs[i])] = GraphConstant{&constant, nullptr};
      if (simulator::TakesConstant(node, i)) continue;
      const std::optional<Encoding>& encoding = graph_.value(floats.inputs[i]).encoding;
      if (encoding.has_value()) LQ_RETURN_IF_ERROR(ValidateEncoding(graph_.Describe(node), *encoding, constant.shape));
      tensors[i] = TensorOf(constant, encoding.has_value() && !shared.has_value() ? &*encoding : nullptr);
      inputs[i] = &tensors[i];
    }
    const SimulatorOptions options;
    LQ_ASSIGN_OR_RETURN(const simulator::RunNode run, simulator::PrepareNode({graph_, floats, options, constants}));
    LQ_ASSIGN_OR_RETURN(SimTensor result, run(inputs));
    if (shared.has_value()) graph_.value(node.outputs[0]).encoding = *shared;
    const std::optional<Encoding>& own = graph_.value(node.outputs[0]).encoding;
    const auto* grid = own.has_value() ? std::get_if<PerTensor>(&*own) : nullptr;
    if (grid != nullptr && result.kind == simulator::Kind::kReal) result = OnGrid(result, *grid);
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
    const bool is_real = result.kind == simulator::Kind::kReal;
    const bool whole = std::all_of(result.f32.begin(), result.f32.end(), IsWhole) &&
                       std::all_of(result.real.begin(), result.real.end(), IsWhole);
    integers = integers && (node.op != "Cast" || whole);  // infinities among them stay what they are
    if (folded_ > kMostElements || (integers && !whole)) {
      return Unsupported(
          fmt::format("{}: made of constants, of shape {}; supported: {} elements in all, of integers those up to {}",
                      graph_.Describe(node), result.shape.ToString(), kMostElements, kLargestInteger));
    }
    Constant constant{DType::kF32, result.shape, {}, {}};
    if (integers) {
      constant.dtype = DType::kS64;
      constant.s64 = is_real ? std::vector<int64_t>(result.real.begin(), result.real.end())
                             : std::vector<int64_t>(result.f32.begin(), result.f32.end());
    } else if (is_real && graph_.value(node.outputs[0]).encoding.has_value()) {
      constant.f32.assign(result.real.begin(), result.real.end());  // what it rounds
    } else if (is_real) {
      constant.dtype = DType::kF64;
      constant.f64 = std::move(result.real);
    } else {
      constant.f32 = std::move(result.f32);
    }
    graph_.value(node.outputs[0]).constant = std::move(constant);
    return OkStatus();
  }

  Graph& graph_;
  int64_t folded_ = 0;
  std::set<ValueId> turned_;
};

}  // namespace

Status FoldNodes(Graph& graph) { return NodeFolder(graph).Run(); }

}  // namespace lq
