// BFPQuantizeDequantize and MXQuantizeDequantize (exact_simulator.md 3): floats in, reals out.
#include <algorithm>
#include <utility>

#include "kernels/reference/block_formats.h"
#include "runtime/passes/block_format_node.h"
#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

SimTensor RunBlocks(const BlockFormat& format, size_t axis, const SimTensor& x) {
  std::vector<double> y = Reals(x);
  if (!format.passes_single_element || y.size() != 1) {
    const size_t length = x.shape.rank() == 0 ? 1 : static_cast<size_t>(x.shape[axis]);
    const auto size = static_cast<size_t>(format.block_size);
    size_t inner = 1;
    for (size_t d = axis + 1; d < x.shape.rank(); ++d) inner *= static_cast<size_t>(x.shape[d]);
    for (size_t line = 0; line < (length == 0 ? 0 : y.size() / length); ++line) {
      const size_t first = line / inner * length * inner + line % inner;
      for (size_t begin = 0; begin < length; begin += size) {
        std::vector<float> in(std::min(size, length - begin)), out(in.size());
        for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(y[first + (begin + i) * inner]);
        reference::QuantizeDequantizeBlock(in, format, out);
        for (size_t i = 0; i < in.size(); ++i) y[first + (begin + i) * inner] = out[i];
      }
    }
  }
  SimTensor result = MakeReal(x.shape, std::move(y));
  result.of_function = x.of_function;
  return result;
}

}  // namespace

Result<RunNode> PrepareBlockFormat(const NodeContext& context) {
  LQ_ASSIGN_OR_RETURN(const BlockFormat format, ReadBlockFormat(context.graph, context.node));
  return RunNode([graph = &context.graph, node = context.node, format](Inputs in) -> Result<SimTensor> {
    LQ_ASSIGN_OR_RETURN(const size_t axis, BlockAxis(*graph, node, in[0]->shape.rank()));
    return RunBlocks(format, axis, *in[0]);
  });
}

}  // namespace lq::simulator
