// Einsum as products of matrices. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/passes/einsum_equation.h"
#include "runtime/passes/new_values.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A tensor and the labels of its dimensions.
struct Labelled {
  ValueId id;
  std::string labels;
};

bool Has(const std::string& labels, char label) { return labels.find(label) != std::string::npos; }

// Those of `labels` that are in `these` (or, unless `present`, are not), in the order of `labels`.
std::string Chosen(const std::string& labels, const std::string& these, bool present = true) {
  std::string chosen;
  for (char label : labels) {
    if (Has(these, label) == present) chosen += label;
  }
  return chosen;
}

std::vector<int64_t> Numbers(size_t begin, size_t end) {
  std::vector<int64_t> numbers;
  for (size_t i = begin; i < end; ++i) numbers.push_back(static_cast<int64_t>(i));
  return numbers;
}

// One node: the nodes that express it.
class EinsumExpander {
 public:
  EinsumExpander(Graph& graph, const Node& node) : graph_(graph), node_(node), owner_(graph.Describe(node)) {}

  Result<std::vector<Node>> Run() {
    if (node_.inputs.empty() || node_.inputs.size() > 2 || node_.outputs.size() != 1) {
      return Unsupported(fmt::format("{}: {} inputs; supported: 1 or 2", owner_, node_.inputs.size()));
    }
    std::vector<std::optional<size_t>> ranks;
    for (ValueId id : node_.inputs) {
      if (id == kAbsent) return InvalidArgument(owner_ + ": an input is left out");
      const std::optional<Shape> shape = ShapeOf(id);
      ranks.push_back(shape.has_value() ? std::optional(shape->rank()) : std::nullopt);
    }
    LQ_ASSIGN_OR_RETURN(equation_, ParseEinsum(owner_, node_.String("equation", ""), ranks));
    if (node_.inputs.size() == 1) {
      LQ_RETURN_IF_ERROR(Reduce());
    } else {
      LQ_RETURN_IF_ERROR(Multiply());
    }
    nodes_.back().outputs = node_.outputs;
    return std::move(nodes_);
  }

 private:
  std::optional<Shape> ShapeOf(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.constant.has_value() ? value.constant->shape : value.shape;
  }

  // Learns the lengths of the labels that are known. Error: one label has two.
  Result<Labelled> Operand(size_t i) {
    const std::string& labels = equation_.operands[i];
    const std::optional<Shape> shape = ShapeOf(node_.inputs[i]);
    for (size_t d = 0; shape.has_value() && d < labels.size(); ++d) {
      const auto known = lengths_.find(labels[d]);
      if (known != lengths_.end() && known->second > 1 && (*shape)[d] > 1 && known->second != (*shape)[d]) {
        return InvalidArgument(
            fmt::format("{}: label '{}' is {} and {} long", owner_, labels[d], known->second, (*shape)[d]));
      }
      if ((*shape)[d] > 1 || (lengths_.count(labels[d]) == 0 && (*shape)[d] >= 0)) lengths_[labels[d]] = (*shape)[d];
    }
    return Labelled{node_.inputs[i], labels};
  }

  ValueId Add(const char* op, std::vector<ValueId> inputs, const char* attribute, std::vector<int64_t> numbers) {
    const ValueId out =
        AddValue(graph_, fmt::format("{}, {} {}", graph_.value(node_.outputs[0]).name, op, nodes_.size()));
    nodes_.push_back(MakeNode(op, node_.name, std::move(inputs), out));
    if (attribute != nullptr) nodes_.back().attributes[attribute] = std::move(numbers);
    return out;
  }

  // Sums over what nothing else has.
  void SumOver(const std::string& labels, Labelled& x) {
    std::vector<int64_t> axes;
    for (char label : labels) axes.push_back(static_cast<int64_t>(x.labels.find(label)));
    if (axes.empty()) return;
    x = {Add("ReduceSum", {x.id}, "axes", std::move(axes)), Chosen(x.labels, labels, false)};
    nodes_.back().attributes["keepdims"] = int64_t{0};
  }

  void Order(const std::string& labels, Labelled& x) {
    if (labels == x.labels) return;
    std::vector<int64_t> perm;
    for (char label : labels) perm.push_back(static_cast<int64_t>(x.labels.find(label)));
    x = {Add("Transpose", {x.id}, "perm", std::move(perm)), labels};
  }

  void Insert(std::vector<int64_t> axes, Labelled& x) {
    if (!axes.empty()) x.id = Add("Unsqueeze", {x.id}, "axes", std::move(axes));
  }

  Status Shaped(std::vector<int64_t> target, Labelled& x) {
    if (std::count(target.begin(), target.end(), -1) > 1) {
      return Unsupported(
          fmt::format("{}: equation '{}' joins dimensions of lengths that the file does not say; "
                      "supported: all but one of the sums' and the second operand's own are known",
                      owner_, node_.String("equation", "").substr(0, 64)));
    }
    const ValueId shape = AddIntegers(graph_, owner_ + " shape", std::move(target));
    x.id = Add("Reshape", {x.id, shape}, nullptr, {});
    return OkStatus();
  }

  // The product of their lengths; -1 where it is not known.
  int64_t LengthOf(const std::string& labels) const {
    int64_t length = 1;
    for (char label : labels) {
      const auto found = lengths_.find(label);
      if (found == lengths_.end() || __builtin_mul_overflow(length, found->second, &length)) return -1;
    }
    return length;
  }

  Status Reduce() {
    LQ_ASSIGN_OR_RETURN(Labelled x, Operand(0));
    SumOver(Chosen(x.labels, equation_.output, false), x);
    Order(equation_.output, x);
    if (nodes_.empty()) Add("Identity", {x.id}, nullptr, {});
    return OkStatus();
  }

  Status Multiply() {
    LQ_ASSIGN_OR_RETURN(Labelled x, Operand(0));
    LQ_ASSIGN_OR_RETURN(Labelled y, Operand(1));
    const std::string& out = equation_.output;
    SumOver(Chosen(Chosen(x.labels, out, false), y.labels, false), x);
    SumOver(Chosen(Chosen(y.labels, out, false), x.labels, false), y);
    if (Chosen(Chosen(x.labels, y.labels), out, false).empty()) return MultiplyElements(x, y);
    // Weights are the second operand; of two activations the first one makes the rows of the result.
    const bool x_constant = graph_.value(node_.inputs[0]).constant.has_value(),
               y_constant = graph_.value(node_.inputs[1]).constant.has_value();
    const std::string own = Chosen(out, Chosen(x.labels, y.labels), false);
    const bool turned = !own.empty() && !Has(x.labels, own[0]);
    if (x_constant != y_constant ? x_constant : turned) std::swap(x, y);
    return MultiplyMatrices(x, y);
  }

  // Nothing is summed: dimensions broadcast.
  Status MultiplyElements(Labelled x, Labelled y) {
    for (Labelled* operand : {&x, &y}) {
      Order(Chosen(equation_.output, operand->labels), *operand);
      std::vector<int64_t> axes;
      for (size_t d = 0; d < equation_.output.size(); ++d) {
        if (!Has(operand->labels, equation_.output[d])) axes.push_back(static_cast<int64_t>(d));
      }
      Insert(std::move(axes), *operand);
    }
    Add("Mul", {x.id, y.id}, nullptr, {});
    return OkStatus();
  }

  // (batch, rows.., sums) times (batch, sums, columns); rows are one or more dimensions, sums and columns become one.
  Status MultiplyMatrices(Labelled x, Labelled y) {
    const std::string batch = Chosen(Chosen(equation_.output, x.labels), y.labels),
                      rows = Chosen(Chosen(equation_.output, x.labels), batch, false),
                      columns = Chosen(Chosen(equation_.output, y.labels), batch, false),
                      sums = Chosen(Chosen(x.labels, y.labels), batch, false);
    const size_t leading = batch.size() + rows.size();
    Order(batch + rows + sums, x);
    if (sums.size() > 1) {
      std::vector<int64_t> target(leading, 0);
      target.push_back(-1);
      LQ_RETURN_IF_ERROR(Shaped(std::move(target), x));
    }
    if (rows.empty()) Insert({static_cast<int64_t>(batch.size())}, x);
    Order(batch + sums + columns, y);
    if (sums.size() > 1 || columns.size() > 1) {
      std::vector<int64_t> target(batch.size(), 0);
      target.push_back(LengthOf(sums));
      if (!columns.empty()) target.push_back(LengthOf(columns));
      LQ_RETURN_IF_ERROR(Shaped(std::move(target), y));
    }
    if (columns.empty()) Insert({static_cast<int64_t>(batch.size()) + 1}, y);
    // Each of several rows' dimensions but the last is one of matrices.
    if (!batch.empty() && rows.size() > 1) Insert(Numbers(batch.size(), leading - 1), y);
    Labelled product{Add("MatMul", {x.id, y.id}, nullptr, {}), batch + rows + columns};
    std::vector<int64_t> ones;
    if (rows.empty()) ones.push_back(static_cast<int64_t>(batch.size()));
    if (columns.empty()) ones.push_back(static_cast<int64_t>(leading + (rows.empty() ? 1 : 0)));
    if (!ones.empty()) product.id = Add("Squeeze", {product.id}, "axes", std::move(ones));
    if (columns.size() > 1) {
      std::vector<int64_t> target(leading, 0);
      for (char label : columns) target.push_back(LengthOf({label}));
      LQ_RETURN_IF_ERROR(Shaped(std::move(target), product));
    }
    Order(equation_.output, product);
    return OkStatus();
  }

  Graph& graph_;
  const Node& node_;
  const std::string owner_;
  EinsumEquation equation_;
  std::map<char, int64_t> lengths_;
  std::vector<Node> nodes_;
};

}  // namespace

Status ExpandEinsum(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (node.op != "Einsum" || !node.domain.empty()) {
      nodes.push_back(std::move(node));
      continue;
    }
    LQ_ASSIGN_OR_RETURN(std::vector<Node> expanded, EinsumExpander(graph, node).Run());
    std::move(expanded.begin(), expanded.end(), std::back_inserter(nodes));
  }
  graph.nodes = std::move(nodes);
  return OkStatus();
}

}  // namespace lq
