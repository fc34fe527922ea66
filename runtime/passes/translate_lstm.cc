// DynamicQuantizeLSTM of ONNX Runtime. See passes.h.
#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

#include "runtime/passes/new_values.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/passes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Codes [direction][input][gate * hidden], with a scale and a zero point for each direction, or for each row of its
// gates too.
struct LstmCodes {
  const Constant *codes, *scale, *zero_point;

  size_t dim(size_t d) const { return static_cast<size_t>(codes->shape[d]); }
};

Result<LstmCodes> ReadCodes(const Graph& graph, const Node& node, size_t weight, size_t scale) {
  const LstmCodes read{ConstantInput(graph, node, weight), ConstantInput(graph, node, scale),
                       ConstantInput(graph, node, scale + 1)};
  const bool typed = read.codes != nullptr && read.scale != nullptr && read.zero_point != nullptr &&
                     read.codes->dtype == DType::kS64 && read.codes->shape.rank() == 3 &&
                     read.scale->dtype == DType::kF32 && read.zero_point->dtype == DType::kS64;
  if (typed && read.scale->f32.size() == read.zero_point->s64.size()) {
    const size_t scales = read.scale->f32.size();
    if (scales == read.dim(0) || scales == read.dim(0) * read.dim(2)) return read;
  }
  return Unsupported(
      fmt::format("{}: its input {}; supported: constant codes of 3 dimensions, with a scale and a zero point for each "
                  "direction, or for each of its last dimension too",
                  graph.Describe(node), weight));
}

// [direction][gate * hidden][input], as LSTM has them.
Constant Dequantized(const LstmCodes& read) {
  const size_t directions = read.dim(0), inputs = read.dim(1), rows = read.dim(2);
  const bool per_row = read.scale->f32.size() != directions;
  Constant out{DType::kF32, {read.codes->shape[0], read.codes->shape[2], read.codes->shape[1]}, {}, {}};
  out.f32.resize(read.codes->s64.size());
  for (size_t d = 0; d < directions; ++d) {
    for (size_t k = 0; k < inputs; ++k) {
      for (size_t row = 0; row < rows; ++row) {
        const size_t channel = per_row ? d * rows + row : d;
        const int64_t code = read.codes->s64[(d * inputs + k) * rows + row] - read.zero_point->s64[channel];
        out.f32[(d * rows + row) * inputs + k] = static_cast<float>(code) * read.scale->f32[channel];
      }
    }
  }
  return out;
}

}  // namespace

Result<bool> TranslateDynamicLstm(Graph& graph) {
  bool found = false;
  std::map<std::array<ValueId, 3>, ValueId> made;  // of codes, scales and zero points that several nodes share
  for (Node& node : graph.nodes) {
    if (node.op != "DynamicQuantizeLSTM" || node.domain != "com.microsoft") continue;
    const std::string name = graph.Describe(node);
    if (node.inputs.size() != 12)
      return InvalidArgument(fmt::format("{}: {} inputs; it has 12", name, node.inputs.size()));
    for (size_t i = 1; i < 3; ++i) {
      const size_t scale = i == 1 ? 8 : 10;
      const auto [found_before, fresh] =
          made.insert({{node.inputs[i], node.inputs[scale], node.inputs[scale + 1]}, kAbsent});
      if (fresh) {
        LQ_ASSIGN_OR_RETURN(const LstmCodes codes, ReadCodes(graph, node, i, scale));
        Constant weight = Dequantized(codes);
        found_before->second = AddConstant(graph, graph.value(node.inputs[i]).name + " dequantized", std::move(weight));
      }
      node.inputs[i] = found_before->second;
    }
    node.inputs.resize(8);
    node.op = "LSTM";
    node.domain.clear();
    graph.notes.push_back(
        fmt::format("{} runs as an LSTM of floats, with the weights that its codes stand for; ONNX Runtime rounds its "
                    "input and each state to 8 bits too",
                    name));
    found = true;
  }
  return found;
}

}  // namespace lq
