// Graphs for tests of passes: written as ONNX, read back as the library does.
#ifndef LANEQUANT_TESTS_SUPPORT_READ_GRAPH_H_
#define LANEQUANT_TESTS_SUPPORT_READ_GRAPH_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/graph.h"
#include "runtime/io/onnx_reader.h"
#include "tests/support/onnx_writer.h"
#include "tests/support/temp_folder.h"

namespace lq::testing {

inline Graph ReadGraph(const OnnxGraph& graph, int64_t opset = 17) {
  const TempFolder folder;
  Result<Graph> read = ReadOnnx(folder.Write("m.onnx", graph.Model(opset)));
  EXPECT_TRUE(read.ok()) << read.status().message();
  return read.ok() ? *std::move(read) : Graph();
}

// The value of that name; a test failure and an empty value if there is none.
inline const Value& FindValue(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return value;
  }
  ADD_FAILURE() << "no value '" << name << "'";
  static const Value kNone;
  return kNone;
}

inline bool HasValue(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return true;
  }
  return false;
}

// Names of the nodes in order.
inline std::vector<std::string> NodeNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

// Their operators.
inline std::vector<std::string> Operators(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op);
  return names;
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_READ_GRAPH_H_
