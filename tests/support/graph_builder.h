// Small graphs in code, for tests that need no file.
#ifndef LANEQUANT_TESTS_SUPPORT_GRAPH_BUILDER_H_
#define LANEQUANT_TESTS_SUPPORT_GRAPH_BUILDER_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/graph.h"

namespace lq::testing {

class GraphBuilder {
 public:
  using Attributes = std::map<std::string, Attribute>;

  ValueId Input(const Shape& shape, std::optional<Encoding> encoding = std::nullopt) {
    const ValueId id = AddValue("input" + std::to_string(graph_.inputs.size()), std::move(encoding));
    graph_.value(id).shape = shape;
    graph_.inputs.push_back(id);
    return id;
  }

  ValueId Floats(const Shape& shape, std::vector<float> values, std::optional<Encoding> encoding = std::nullopt) {
    const ValueId id = AddValue("constant" + std::to_string(graph_.values.size()), std::move(encoding));
    graph_.value(id).constant = Constant{DType::kF32, shape, std::move(values), {}};
    return id;
  }

  ValueId Ints(std::vector<int64_t> values) {
    const ValueId id = AddValue("constant" + std::to_string(graph_.values.size()), std::nullopt);
    const Shape shape{static_cast<int64_t>(values.size())};
    graph_.value(id).constant = Constant{DType::kS64, shape, {}, std::move(values)};
    return id;
  }

  ValueId Node(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {},
               std::optional<Encoding> encoding = std::nullopt) {
    const std::string name = op + std::to_string(graph_.nodes.size());
    const ValueId id = AddValue(name + "_output", std::move(encoding));
    lq::Node node;
    node.name = name;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {id};
    node.attributes = std::move(attributes);
    graph_.nodes.push_back(std::move(node));
    return id;
  }

  void Output(ValueId id) { graph_.outputs.push_back(id); }
  Graph& graph() { return graph_; }
  std::shared_ptr<const Graph> Share() const { return std::make_shared<const Graph>(graph_); }

 private:
  ValueId AddValue(std::string name, std::optional<Encoding> encoding) {
    Value value;
    value.name = std::move(name);
    value.encoding = std::move(encoding);
    graph_.values.push_back(std::move(value));
    return static_cast<ValueId>(graph_.values.size() - 1);
  }

  Graph graph_;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_GRAPH_BUILDER_H_
