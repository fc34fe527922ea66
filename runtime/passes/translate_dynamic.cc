// ONNX Runtime's dynamic quantization: DynamicQuantizeLinear, and MatMulInteger or ConvInteger of its codes. See
// passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Integers of -255 to 255 as codes of scale 1: the layers behind them are those of any quantized network.
constexpr PerTensor kCentredCodes{{9, false}, 1.0f, -255}, kByteWeights{{8, true}, 1.0f, 0},
    kCentredWeights{{9, true}, 1.0f, 0};

class DynamicTranslator {
 public:
  explicit DynamicTranslator(Graph& graph) : graph_(graph) {}

  Result<bool> Run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : old) {
      if (node.domain.empty() && node.op == "DynamicQuantizeLinear") {
        LQ_RETURN_IF_ERROR(TranslateQuantizer(node));
      } else if (node.domain.empty() && (node.op == "MatMulInteger" || node.op == "ConvInteger")) {
        LQ_RETURN_IF_ERROR(TranslateLayer(node));
      } else {
        LQ_RETURN_IF_ERROR(Keep(std::move(node)));
      }
    }
    return !quantizers_.empty();
  }

 private:
  struct Quantizer {
    ValueId centred, zero_point;
  };

  static ValueId Input(const Node& node, size_t i) { return i < node.inputs.size() ? node.inputs[i] : kAbsent; }

  // The codes become floats, the zero point already subtracted; the scale is a node of its own.
  Status TranslateQuantizer(const Node& node) {
    if (node.inputs.size() != 1 || node.outputs.size() != 3 || node.outputs[0] == kAbsent) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 1 and 3", graph_.Describe(node),
                                         node.inputs.size(), node.outputs.size()));
    }
    const ValueId centred = AddValue(graph_, graph_.value(node.outputs[0]).name + " - zero point");
    graph_.value(centred).encoding = kCentredCodes;
    graph_.nodes.push_back(MakeNode("DynamicCodes", node.name, {node.inputs[0]}, centred));
    if (node.outputs[1] != kAbsent) {
      graph_.nodes.push_back(MakeNode("DynamicScale", node.name, {node.inputs[0]}, node.outputs[1]));
    }
    quantizers_[node.outputs[0]] = {centred, node.outputs[2]};
    if (node.outputs[2] != kAbsent) zero_points_.insert(node.outputs[2]);
    return OkStatus();
  }

  // Codes less their zero points, of which there may be one for each channel: axis 0 of a Conv, the last of a MatMul.
  Result<ValueId> WeightOf(const std::string& owner, const Node& node) {
    const std::optional<Constant>& codes = graph_.value(node.inputs[1]).constant;
    const ValueId zero = Input(node, 3);
    const Constant* zeros = zero != kAbsent && graph_.value(zero).constant ? &*graph_.value(zero).constant : nullptr;
    const auto is_byte = [](const Constant& c) {
      return c.dtype == DType::kS64 && (c.file_type == DType::kU8 || c.file_type == DType::kS8);
    };
    if (!codes.has_value() || !is_byte(*codes) || codes->shape.rank() < 2 ||
        (zero != kAbsent && (zeros == nullptr || !is_byte(*zeros) || zeros->s64.empty()))) {
      return Unsupported(fmt::format(
          "{}: its weight or the zero point of it is computed or no 8-bit integer; supported: constants of 8 bits",
          owner));
    }
    const bool conv = node.op == "ConvInteger";
    const auto channels = static_cast<size_t>(codes->shape[conv ? 0 : codes->shape.rank() - 1]);
    const size_t n = codes->s64.size(), inner = conv && channels > 0 ? n / channels : 1;
    if (zeros != nullptr && zeros->s64.size() != 1 && zeros->s64.size() != channels) {
      return InvalidArgument(fmt::format("{}: {} zero points for {} channels", owner, zeros->s64.size(), channels));
    }
    const auto centred = [&](size_t i) {
      const int64_t z = zeros == nullptr ? 0 : zeros->s64[zeros->s64.size() == 1 ? 0 : i / inner % channels];
      return codes->s64[i] - z;
    };
    bool bytes = true;
    for (size_t i = 0; i < n; ++i) bytes = bytes && centred(i) >= -128 && centred(i) <= 127;
    Constant weight{DType::kF32, codes->shape, {}, {}};
    if (bytes && (conv || codes->shape.rank() == 2)) {
      weight.dtype = DType::kS8;
      weight.s64 = Integers(DType::kS8, n);
      for (size_t i = 0; i < n; ++i) weight.s64.Set(i, centred(i));
    } else {
      for (size_t i = 0; i < n; ++i) weight.f32.push_back(static_cast<float>(centred(i)));  // exact: 8 bits each
    }
    const ValueId id = AddConstant(graph_, graph_.value(node.inputs[1]).name + " of " + owner, std::move(weight));
    graph_.value(id).encoding = bytes ? kByteWeights : kCentredWeights;
    return id;
  }

  Status TranslateLayer(const Node& node) {
    const std::string owner = graph_.Describe(node);
    const auto found = quantizers_.find(Input(node, 0));
    if (found == quantizers_.end() || Input(node, 1) == kAbsent || Input(node, 2) != found->second.zero_point ||
        node.outputs.size() != 1 || node.outputs[0] == kAbsent) {
      return Unsupported(
          fmt::format("{}: supported: codes and zero point of one DynamicQuantizeLinear, and a constant", owner));
    }
    LQ_ASSIGN_OR_RETURN(const ValueId weight, WeightOf(owner, node));
    Node plain = MakeNode(node.op == "ConvInteger" ? "Conv" : "MatMul", node.name, {found->second.centred, weight},
                          node.outputs[0]);
    plain.attributes = node.attributes;
    graph_.nodes.push_back(std::move(plain));
    sums_.insert(node.outputs[0]);
    return OkStatus();
  }

  // Only a Cast reads the integers of a layer: to float32, which rounds them.
  Status Keep(Node node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      const bool is_sum = id != kAbsent && sums_.count(id) != 0, casts = node.domain.empty() && node.op == "Cast";
      if (is_sum && casts && node.Int("to", 0) == 1) {
        node.op = "RoundToFloat32";
        node.attributes.clear();
      } else if (id != kAbsent && (is_sum || quantizers_.count(id) != 0 || zero_points_.count(id) != 0)) {
        return Unsupported(
            fmt::format("{}: its input '{}' holds integers of a dynamic quantization; supported readers: "
                        "MatMulInteger, ConvInteger and behind them Cast to float",
                        graph_.Describe(node), graph_.value(id).name));
      }
    }
    graph_.nodes.push_back(std::move(node));
    return OkStatus();
  }

  Graph& graph_;
  std::map<ValueId, Quantizer> quantizers_;  // by the value of their codes
  std::set<ValueId> zero_points_, sums_;     // of these quantizers; of the layers behind them
};

}  // namespace

Result<bool> TranslateDynamicQuantizers(Graph& graph) { return DynamicTranslator(graph).Run(); }

}  // namespace lq
