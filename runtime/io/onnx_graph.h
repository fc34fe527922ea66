// ONNX GraphProto -> Graph: initializers, inputs, outputs; nodes by onnx_node.cc.
#ifndef LANEQUANT_RUNTIME_IO_ONNX_GRAPH_H_
#define LANEQUANT_RUNTIME_IO_ONNX_GRAPH_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/io/external_data.h"
#include "runtime/io/file.h"

namespace lq {

// Tensor names -> values of a graph under construction.
class ValueNames {
 public:
  explicit ValueNames(Graph& graph) : graph_(graph) {}
  // The value of that name, made on first sight. "" is kAbsent.
  Result<ValueId> Find(const std::string& name);

 private:
  Graph& graph_;
  std::unordered_map<std::string, ValueId> ids_;
};

// A GraphProto of an OnnxOutline.
struct OnnxGraph {
  std::string_view message;
  std::span<const std::optional<FileRange>> raw_data;  // of its initializers
  const std::string& folder;                           // of its external data
};

// Adds the graph to `graph`.
Status ReadOnnxGraph(const OnnxGraph& from, Graph& graph);

// NodeProto -> Node (onnx_node.cc).
Result<Node> ReadOnnxNode(std::string_view message, ValueNames& values, ExternalData& external);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ONNX_GRAPH_H_
