#include "runtime/passes/transposed_pads.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/passes/operator_rules.h"
#include "runtime/plan/window_attributes.h"

namespace lq {
namespace {

struct SpreadWindow {
  std::vector<int64_t> strides, dilations, more;  // by spatial dimension
};

bool Fits(const std::vector<int64_t>& list, size_t dims) {
  return list.size() == dims &&
         std::all_of(list.begin(), list.end(), [](int64_t v) { return v >= 0 && v <= kMaxExtent; });
}

// The spatial lengths of the input, as far as output_shape needs them.
std::optional<std::vector<int64_t>> InputLengths(const Graph& graph, const Node& node, size_t dims) {
  const std::optional<Shape>& shape = graph.value(node.inputs[0]).shape;
  if (!shape.has_value() || shape->rank() != dims + 2) return std::nullopt;
  const std::vector<int64_t> lengths(shape->dims().begin() + 2, shape->dims().end());
  const bool known = std::all_of(lengths.begin(), lengths.end(), [](int64_t v) { return v >= 1 && v <= kMaxExtent; });
  return known ? std::optional(lengths) : std::nullopt;
}

}  // namespace

Status SetTransposedPads(const Graph& graph, const std::optional<Shape>& weight, Node& node) {
  const std::string mode = node.String("auto_pad", "NOTSET");
  const bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  const std::vector<int64_t> output = node.Ints("output_shape", {});
  if (mode == "VALID") {
    node.attributes.erase("auto_pad");
    node.attributes.erase("pads");
  }
  if (!same && output.empty()) return OkStatus();
  const size_t dims = weight.has_value() && weight->rank() > 2 ? weight->rank() - 2 : 0;
  const std::vector<int64_t> ones(dims, 1), none(dims, 0);
  SpreadWindow window{node.Ints("strides", ones), node.Ints("dilations", ones), node.Ints("output_padding", none)};
  const std::optional<std::vector<int64_t>> input = InputLengths(graph, node, dims);
  if (dims == 0 || !Fits(window.strides, dims) || !Fits(window.dilations, dims) || !Fits(window.more, dims) ||
      (!output.empty() && (!Fits(output, dims) || !input.has_value()))) {
    return Unsupported(
        fmt::format("{}: auto_pad '{}', output_shape ({}) with a weight that is computed, an input of unknown length, "
                    "or attributes that do not fit",
                    graph.Describe(node), mode, fmt::join(output, ", ")));
  }
  std::vector<int64_t> pads(2 * dims);
  for (size_t d = 0; d < dims; ++d) {
    const int64_t reach = ((*weight)[d + 2] - 1) * window.dilations[d] + 1 + window.more[d];
    const int64_t total = output.empty() ? reach - window.strides[d]
                                         : (*input)[d] * window.strides[d] - window.strides[d] + reach - output[d];
    if (total < 0 && output.empty()) {  // ONNX says stride * input; ONNX Runtime leaves out what no window reaches
      return Unsupported(fmt::format("{}: auto_pad '{}' of a window of {} that is shorter than its stride {}",
                                     graph.Describe(node), mode, reach, window.strides[d]));
    }
    const int64_t taken = std::max<int64_t>(total, 0);
    window.more[d] += taken - total;
    const SamePadding split = SplitPadding(taken, mode == "SAME_UPPER");
    pads[d] = split.begin;
    pads[d + dims] = split.end;
  }
  for (const char* done : {"auto_pad", "output_shape"}) node.attributes.erase(done);
  node.attributes["pads"] = std::move(pads);
  node.attributes["output_padding"] = std::move(window.more);
  return OkStatus();
}

}  // namespace lq
