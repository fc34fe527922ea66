// Pools (exact_simulator.md 6): MaxPool keeps the kind of its input, the averages are real.
#include <fmt/format.h>

#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/simulator/operators.h"
#include "runtime/simulator/window.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Pool {
  Window window;
  bool count_include_pad = false;
};

Status CheckImage(const std::string& name, const Shape& shape) {
  if (shape.rank() == 4) return OkStatus();
  return Unsupported(
      fmt::format("{}: input of shape {}, but pools run (batch, channels, height, width)", name, shape.ToString()));
}

Result<reference::PoolGeometry> Geometry(const Pool& pool, const Shape& in) {
  const Window& window = pool.window;
  LQ_RETURN_IF_ERROR(CheckImage(window.name, in));
  LQ_ASSIGN_OR_RETURN(const Placement placement, Place(window, in[2], in[3]));
  LQ_RETURN_IF_ERROR(CheckSize(window.name, {in[0], in[1], placement.out[0], placement.out[1]}));
  LQ_RETURN_IF_ERROR(CheckNoEmptyWindow(window, placement, in[2], in[3]));
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  return reference::PoolGeometry{.channels = size(in[0] * in[1]),
                                 .in_height = size(in[2]),
                                 .in_width = size(in[3]),
                                 .out_height = size(placement.out[0]),
                                 .out_width = size(placement.out[1]),
                                 .kernel_height = size(window.kernel[0]),
                                 .kernel_width = size(window.kernel[1]),
                                 .stride_height = size(window.stride[0]),
                                 .stride_width = size(window.stride[1]),
                                 .dilation_height = size(window.dilation[0]),
                                 .dilation_width = size(window.dilation[1]),
                                 .pad_top = size(placement.pads[0]),
                                 .pad_left = size(placement.pads[1]),
                                 .pad_bottom = size(placement.pads[2]),
                                 .pad_right = size(placement.pads[3]),
                                 .count_include_pad = pool.count_include_pad};
}

Shape OutputShape(const Shape& in, const reference::PoolGeometry& g) {
  return {in[0], in[1], static_cast<int64_t>(g.out_height), static_cast<int64_t>(g.out_width)};
}

SimTensor Average(const SimTensor& x, const reference::PoolGeometry& g) {
  SimTensor out = MakeReal(OutputShape(x.shape, g), {});
  out.real.resize(out.size());
  if (x.kind == Kind::kCoded) {
    reference::AveragePool(g, x.w, x.encoding.scale, out.real);
    return out;
  }
  reference::AveragePoolReal(g, Reals(x), out.real);
  if (!x.magnitude.empty()) {
    out.magnitude.resize(out.size());
    reference::AveragePoolReal(g, x.magnitude, out.magnitude);
  }
  return out;
}

SimTensor Max(const SimTensor& x, const reference::PoolGeometry& g) {
  const Shape shape = OutputShape(x.shape, g);
  const auto elements = static_cast<size_t>(shape.NumElements());
  if (x.kind == Kind::kCoded) {
    std::vector<int32_t> w(elements);
    reference::MaxPool(g, x.w, w);
    return MakeCoded(shape, std::move(w), x.encoding);
  }
  std::vector<double> largest(elements);
  reference::MaxPoolReal(g, Reals(x), largest);
  if (x.kind == Kind::kF32)
    return MakeF32(shape, {largest.begin(), largest.end()});  // exact: each is one of the floats
  SimTensor out = MakeReal(shape, std::move(largest));
  if (!x.magnitude.empty()) {
    out.magnitude.resize(elements);
    reference::MaxPoolReal(g, x.magnitude, out.magnitude);  // a bound for whichever cell won
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareAveragePool(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(Window window, ReadWindow(context, nullptr));
  const Pool pool{std::move(window), context.node.Int("count_include_pad", 0) != 0};
  return RunNode([pool](Inputs in) -> Result<SimTensor> {
    LQ_ASSIGN_OR_RETURN(const reference::PoolGeometry geometry, Geometry(pool, in[0]->shape));
    return Average(*in[0], geometry);
  });
}

Result<RunNode> PrepareMaxPool(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(Window window, ReadWindow(context, nullptr));
  const Pool pool{std::move(window)};
  return RunNode([pool](Inputs in) -> Result<SimTensor> {
    LQ_ASSIGN_OR_RETURN(const reference::PoolGeometry geometry, Geometry(pool, in[0]->shape));
    return Max(*in[0], geometry);
  });
}

Result<RunNode> PrepareGlobalAveragePool(const NodeContext& context) {
  return RunNode([name = context.Name()](Inputs in) -> Result<SimTensor> {
    const Shape& shape = in[0]->shape;
    LQ_RETURN_IF_ERROR(CheckImage(name, shape));
    const Pool whole_image{{name, {shape[2], shape[3]}, {1, 1}, {1, 1}, {0, 0, 0, 0}, AutoPad::kNotSet, false}};
    LQ_ASSIGN_OR_RETURN(const reference::PoolGeometry geometry, Geometry(whole_image, shape));
    return Average(*in[0], geometry);
  });
}

}  // namespace lq::simulator
