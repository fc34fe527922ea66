// Identity nodes of constants: TorchScript exports store equal tensors once (`X_dup_0` is an Identity of initializer
// `X`), and a constant with several quantizers has one Identity for each. See passes.h.
#include <utility>
#include <vector>

#include "runtime/passes/dequantize.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/constants.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class AliasFolder {
 public:
  explicit AliasFolder(Graph& graph) : graph_(graph), source_(graph.values.size()), is_output_(graph.values.size()) {
    for (size_t i = 0; i < source_.size(); ++i) source_[i] = static_cast<ValueId>(i);
    for (ValueId id : graph.outputs) is_output_[At(id)] = true;
  }

  Status Run() {
    std::vector<Node> kept;
    for (Node& node : graph_.nodes) {
      for (ValueId& id : node.inputs) {
        if (id != kAbsent) id = source_[At(id)];
      }
      if (!IsAlias(node)) {
        kept.push_back(std::move(node));
      } else if (is_output_[At(node.outputs[0])]) {  // readers take the constant, the output needs the node
        if (!graph_.value(node.outputs[0]).encoding.has_value()) source_[At(node.outputs[0])] = node.inputs[0];
        kept.push_back(std::move(node));
      } else {
        LQ_RETURN_IF_ERROR(Fold(node.inputs[0], node.outputs[0]));
      }
    }
    graph_.nodes = std::move(kept);
    return OkStatus();
  }

 private:
  static size_t At(ValueId id) { return static_cast<size_t>(id); }

  bool IsAlias(const Node& node) const {
    return node.op == "Identity" && node.domain.empty() && graph_.value(node.inputs[0]).constant.has_value();
  }

  Status Fold(ValueId in, ValueId out) {
    const Value& source = graph_.value(in);
    Value& alias = graph_.value(out);
    if (alias.constant.has_value()) return OkStatus();  // a bias of its own, from AttachEncodings
    if (!alias.encoding.has_value() || alias.encoding == source.encoding) {
      source_[At(out)] = in;
      return OkStatus();
    }
    Constant copy = *source.constant;
    if (source.encoding.has_value()) LQ_RETURN_IF_ERROR(Round(in, copy));
    alias.constant = std::move(copy);
    return OkStatus();
  }

  // What the second quantizer of a row reads: fl32(w * s).
  Status Round(ValueId id, Constant& constant) const {
    const Value& value = graph_.value(id);
    if (constant.dtype == DType::kS8) return Dequantize(value.name, *value.encoding, constant);
    LQ_ASSIGN_OR_RETURN(const std::vector<double> reals, Constants(graph_).Reals(id, {}));
    constant.f32.assign(reals.begin(), reals.end());
    return OkStatus();
  }

  Graph& graph_;
  std::vector<ValueId> source_;  // by value: the constant that it is another name of; itself if of none
  std::vector<bool> is_output_;  // by value
};

}  // namespace

Status FoldAliases(Graph& graph) { return AliasFolder(graph).Run(); }

}  // namespace lq
