// ExtendedQuantizeLinear and ExtendedDequantizeLinear of Quark's domain com.amd.quark. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/passes/float_rounding.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class ExtendedTranslator {
 public:
  explicit ExtendedTranslator(Graph& graph) : graph_(graph) {}

  Result<bool> Run() {
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      const bool quantizes = node.op == "ExtendedQuantizeLinear";
      if (node.domain != "com.amd.quark" || (!quantizes && node.op != "ExtendedDequantizeLinear")) {
        kept.push_back(std::move(node));
        continue;
      }
      LQ_ASSIGN_OR_RETURN(const DType type, TypeOf(node));
      if (type != DType::kF16 && type != DType::kBF16) {
        node.op = node.op.substr(std::string_view("Extended").size());
        node.domain.clear();
      } else {
        found_ = true;
        if (type == DType::kBF16) LQ_RETURN_IF_ERROR(CheckUnscaled(node));
        if (FoldConstant(node, type, quantizes)) continue;
        node.op = !quantizes ? "Identity" : type == DType::kF16 ? "RoundToFloat16" : "RoundToBfloat16";
        node.domain.clear();
        node.inputs.resize(1);
        node.attributes.clear();
      }
      kept.push_back(std::move(node));
    }
    graph_.nodes = std::move(kept);
    return found_;
  }

 private:
  // Of the zero point, which says what the codes are.
  Result<DType> TypeOf(const Node& node) const {
    if (node.inputs.size() != 3 || node.outputs.size() != 1 || node.outputs[0] == kAbsent ||
        std::count(node.inputs.begin(), node.inputs.end(), kAbsent) != 0) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 3 and 1", graph_.Describe(node),
                                         node.inputs.size(), node.outputs.size()));
    }
    const std::optional<Constant>& zero_point = graph_.value(node.inputs[2]).constant;
    if (zero_point.has_value()) return zero_point->file_type;
    return Unsupported(fmt::format("{}: its zero point is computed; supported: constants", graph_.Describe(node)));
  }

  // Quark ignores both numbers for float16, and writes 1 and 0 for bfloat16.
  Status CheckUnscaled(const Node& node) const {
    for (const size_t input : {1, 2}) {
      const std::optional<Constant>& constant = graph_.value(node.inputs[input]).constant;
      const float expected = input == 1 ? 1 : 0;
      if (constant.has_value() && constant->f32.size() == 1 && constant->f32[0] == expected) continue;
      return Unsupported(fmt::format("{}: bfloat16 codes with a {} that is not {}", graph_.Describe(node),
                                     input == 1 ? "scale" : "zero point", expected));
    }
    return OkStatus();
  }

  // A constant becomes its rounded self, behind either node.
  bool FoldConstant(const Node& node, DType type, bool quantizes) {
    const std::optional<Constant>& source = graph_.value(node.inputs[0]).constant;
    if (!source.has_value() || source->dtype != DType::kF32) return false;
    Constant rounded = *source;
    for (float& x : rounded.f32) {
      if (quantizes) x = static_cast<float>(RoundToFormat(x, type == DType::kF16 ? kHalf : kBfloat));
    }
    graph_.value(node.outputs[0]).constant = std::move(rounded);
    return true;
  }

  Graph& graph_;
  bool found_ = false;
};

}  // namespace

Result<bool> TranslateExtendedQuantizers(Graph& graph) { return ExtendedTranslator(graph).Run(); }

}  // namespace lq
