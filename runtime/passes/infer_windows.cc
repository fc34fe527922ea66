// Shapes behind convolutions and pools. See infer_shape.h.
#include <algorithm>

#include "runtime/passes/infer_shape.h"
#include "runtime/passes/operator_rules.h"

namespace lq {
namespace {

// What the windows of a node do along each spatial dimension. Every product of two numbers fits into 64 bits.
struct Pads {
  std::vector<int64_t> total, strides, dilations;
};

// Nothing where attributes do not fit `n` spatial dimensions of an input of this rank.
std::optional<Pads> ReadPads(const Node& node, size_t n, size_t rank) {
  const std::vector<int64_t> pads = node.Ints("pads", std::vector<int64_t>(2 * n, 0));
  const auto within = [](const std::vector<int64_t>& list, size_t size, int64_t low) {
    return list.size() == size &&
           std::all_of(list.begin(), list.end(), [low](int64_t v) { return v >= low && v <= kMaxExtent; });
  };
  Pads out{{}, node.Ints("strides", std::vector<int64_t>(n, 1)), node.Ints("dilations", std::vector<int64_t>(n, 1))};
  if (rank != n + 2 || !within(pads, 2 * n, 0) || !within(out.strides, n, 1) || !within(out.dilations, n, 1)) {
    return std::nullopt;
  }
  for (size_t d = 0; d < n; ++d) out.total.push_back(pads[d] + pads[d + n]);
  return out;
}

}  // namespace

// Conv and pools with pads of their own.
std::optional<Dims> ShapeInference::Window(const Node& node, Dims x, const std::vector<int64_t>& kernel) {
  const std::optional<Pads> pads = ReadPads(node, kernel.size(), x.size());
  const bool own = node.String("auto_pad", "NOTSET") == "NOTSET" && node.Int("ceil_mode", 0) == 0;
  if (!pads.has_value() || !own) return std::nullopt;
  for (size_t d = 0; d < kernel.size(); ++d) {
    if (kernel[d] < 1 || kernel[d] > kMaxExtent) return std::nullopt;
    const int64_t growth = pads->total[d] - pads->dilations[d] * (kernel[d] - 1) - 1, stride = pads->strides[d];
    if (!x[d + 2].is_number()) {
      if (growth != -1 || stride != 1) x[d + 2] = Fresh();
      continue;
    }
    if (x[d + 2].factor + growth < 0) return std::nullopt;
    x[d + 2].factor = (x[d + 2].factor + growth) / stride + 1;
  }
  return x;
}

std::optional<Dims> ShapeInference::Conv(const Node& node, const Dims& x) {
  const std::optional<Dims> weight = Input(node, 1);
  if (!weight.has_value() || weight->size() < 3) return std::nullopt;
  std::vector<int64_t> kernel;
  for (size_t d = 2; d < weight->size(); ++d) kernel.push_back((*weight)[d].is_number() ? (*weight)[d].factor : 0);
  if (node.op == "ConvTranspose") return Spread(node, x, *weight);
  std::optional<Dims> out = Window(node, x, kernel);
  if (out.has_value()) (*out)[1] = (*weight)[0];
  return out;
}

// A ConvTranspose with pads of its own, or of which each input element becomes `stride`.
std::optional<Dims> ShapeInference::Spread(const Node& node, Dims x, const Dims& weight) {
  const size_t n = weight.size() - 2;
  const std::string mode = node.String("auto_pad", "NOTSET");
  const bool same = mode.rfind("SAME", 0) == 0;
  const std::optional<Pads> pads = ReadPads(node, n, x.size());
  const std::vector<int64_t> more = node.Ints("output_padding", std::vector<int64_t>(n, 0));
  const std::vector<int64_t> output = node.Ints("output_shape", {});
  if (!pads.has_value() || more.size() != n || (!output.empty() && output.size() != n) || mode == "VALID") {
    return std::nullopt;
  }
  for (size_t d = 0; d < n; ++d) {
    const Dim& kernel = weight[d + 2];
    if (!kernel.is_number() || kernel.factor > kMaxExtent || more[d] < 0 || more[d] > kMaxExtent) return std::nullopt;
    const int64_t window = (kernel.factor - 1) * pads->dilations[d] + 1 - pads->total[d] + more[d];
    if (!output.empty()) {
      x[d + 2] = Dim{output[d]};
    } else if (!x[d + 2].is_number()) {
      x[d + 2] = Fresh();
    } else if (x[d + 2].factor < 1 || x[d + 2].factor > Shape::kMaxDim) {
      return std::nullopt;
    } else {
      x[d + 2].factor = same ? x[d + 2].factor * pads->strides[d] : (x[d + 2].factor - 1) * pads->strides[d] + window;
    }
  }
  const std::optional<Dim> channels = Times(weight[1], Dim{node.Int("group", 1)});
  if (!channels.has_value()) return std::nullopt;
  x[1] = *channels;
  return x;
}

}  // namespace lq
