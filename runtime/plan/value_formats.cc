// Activations in block formats, float16 and bfloat16 (exact_simulator.md 3): values are rounded as Quark's operators
// do, and stay values.
#include <algorithm>
#include <utility>

#include "kernels/contracts_float.h"
#include "runtime/passes/block_format_node.h"
#include "runtime/passes/float_rounding.h"
#include "runtime/plan/value_operator.h"
#include "runtime/quantize/block_rule.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

// Reals become float32, and these the reals of their blocks. Pieces are what lies before the axis.
class BlockFormatOperator final : public ValueOperator {
 public:
  BlockFormatOperator(const Graph& graph, const Node& node, const BlockFormat& format, const std::string& max_isa)
      : ValueOperator(ValueKind::kReal, true),
        name_(graph.Describe(node)),
        axis_(node.Int("axis", 1)),
        format_(format),
        run_(Choose(kernels::QuantizeDequantizeBlocksVariants(), max_isa).run) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    if (in[0].rank() > 1) LQ_RETURN_IF_ERROR(AxisOf(name_, axis_, in[0].rank()).status());
    return in[0];
  }

  size_t Pieces(std::span<const ValueArray>, const ValueResult& out) const override { return CutOf(out.shape).outer; }
  size_t ScratchBytes(std::span<const Shape> in) const override {
    return static_cast<size_t>(in[0].NumElements()) * sizeof(float);
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range pieces) const override {
    const Cut cut = CutOf(out.shape);
    const size_t each = cut.length * cut.inner, begin = pieces.begin * each, end = pieces.end * each;
    if (begin == end) return;
    if (out.shape.NumElements() == 1 && format_.passes_single_element) {
      out.real[0] = in[0].real[0];
      return;
    }
    float* values = reinterpret_cast<float*>(out.scratch);
    for (size_t i = begin; i < end; ++i) values[i] = static_cast<float>(in[0].real[i]);
    run_({.in = values + begin,
          .out = values + begin,
          .type = kernels::FloatType::kF32,
          .outer = pieces.end - pieces.begin,
          .outer_stride = each,
          .length = cut.length,
          .stride = cut.inner,
          .width = cut.inner,
          .block = std::min(static_cast<size_t>(format_.block_size), cut.length),
          .rule = BlockRuleOf(format_),
          .stream = false});
    for (size_t i = begin; i < end; ++i) out.real[i] = values[i];
  }

 private:
  struct Cut {
    size_t outer = 1, length = 1, inner = 1;
  };
  Cut CutOf(const Shape& shape) const {
    Cut cut;
    const size_t axis = shape.rank() > 1 ? FromFront(axis_, shape.rank()) : 0;
    for (size_t d = 0; d < shape.rank(); ++d) {
      (d < axis ? cut.outer : d == axis ? cut.length : cut.inner) *= static_cast<size_t>(shape[d]);
    }
    return cut;
  }

  std::string name_;
  int64_t axis_;
  BlockFormat format_;
  kernels::QuantizeDequantizeBlocksFn run_;
};

class FloatFormatOperator final : public ElementOperator {
 public:
  explicit FloatFormatOperator(const Float16Format& format)
      : ElementOperator(ValueKind::kReal, true), format_(format) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }
  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    for (size_t i = elements.begin; i < elements.end; ++i) out.real[i] = RoundToFormat(in[0].real[i], format_);
  }

 private:
  Float16Format format_;
};

}  // namespace

ValueOperatorResult MakeFormat(const ValueNode& n) {
  if (n.node.op == "RoundToFloat16" || n.node.op == "RoundToBfloat16") {
    const Float16Format& format = n.node.op == "RoundToFloat16" ? kHalf : kBfloat;
    return std::unique_ptr<ValueOperator>(std::make_unique<FloatFormatOperator>(format));
  }
  if (!IsBlockFormat(n.node)) return std::unique_ptr<ValueOperator>();
  LQ_ASSIGN_OR_RETURN(const BlockFormat format, ReadBlockFormat(n.graph, n.node));
  LQ_RETURN_IF_ERROR(CheckBlockFormat(format));
  return std::unique_ptr<ValueOperator>(
      std::make_unique<BlockFormatOperator>(n.graph, n.node, format, n.options.max_isa));
}

}  // namespace lq
