// The bulk block quantizer.
#include "lanequant/block_quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/quantize/affine_setup.h"
#include "runtime/quantize/block_rule.h"
#include "runtime/quantize/bulk_checks.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {

namespace {

size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

// The tensor as [outer][length][inner] around the axis, cut into tasks of whole blocks and about kTaskElements each.
struct Cut {
  Cut(const Shape& shape, size_t axis, size_t block) : length(static_cast<size_t>(shape[axis])) {
    for (size_t d = 0; d < shape.rank(); ++d) {
      if (d < axis) outer *= static_cast<size_t>(shape[d]);
      if (d > axis) inner *= static_cast<size_t>(shape[d]);
    }
    columns = std::clamp<size_t>(kTaskElements / block / 64 * 64, 64, std::max<size_t>(inner, 64));
    segment = std::max<size_t>(1, kTaskElements / block / std::min(columns, inner)) * block;
    rows = std::max<size_t>(1, kTaskElements / (length * inner));
  }

  size_t tasks() const { return CeilDiv(outer, rows) * CeilDiv(length, segment) * CeilDiv(inner, columns); }

  size_t outer = 1, length, inner = 1;
  size_t rows, segment, columns;  // of a task
};

// One task: element (row, first, column) and how far it goes.
void SetTask(const Cut& cut, size_t task, const ConstTensorView& in, const TensorView& out,
             kernels::QuantizeDequantizeBlocksArgs& args) {
  const size_t column_tasks = CeilDiv(cut.inner, cut.columns), segment_tasks = CeilDiv(cut.length, cut.segment);
  const size_t column = task % column_tasks * cut.columns, first = task / column_tasks % segment_tasks * cut.segment;
  const size_t row = task / column_tasks / segment_tasks * cut.rows;
  const size_t begin = (row * cut.length + first) * cut.inner + column;
  args.in = in.bytes.data() + begin * SizeOf(in.dtype);
  args.out = out.bytes.data() + begin * SizeOf(out.dtype);
  args.outer = std::min(cut.rows, cut.outer - row);
  args.length = std::min(cut.segment, cut.length - first);
  args.width = std::min(cut.columns, cut.inner - column);
}

}  // namespace

Status QuantizeDequantizeBlocks(const ConstTensorView& in, const BlockFormat& format, int64_t axis,
                                const TensorView& out, const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckBlockFormat(format));
  LQ_RETURN_IF_ERROR(CheckFloats("in", in.dtype));
  LQ_RETURN_IF_ERROR(CheckPair({"in", in}, {"out", out}, true));
  if (out.dtype != in.dtype) {
    return InvalidArgument(fmt::format("out: type {}, but in has type {}", NameOf(out.dtype), NameOf(in.dtype)));
  }
  LQ_ASSIGN_OR_RETURN(const size_t along, CheckAxis(axis, {"in", in}));
  const int64_t elements = in.shape.NumElements();
  if (elements == 0) return OkStatus();
  if (elements == 1 && format.passes_single_element) {
    std::memmove(out.bytes.data(), in.bytes.data(), SizeOf(in.dtype));
    return OkStatus();
  }
  // Blocks longer than the axis are the axis.
  const size_t block = static_cast<size_t>(std::min(format.block_size, in.shape[along]));
  const Cut cut(in.shape, along, block);
  kernels::QuantizeDequantizeBlocksArgs common{};
  common.type = FloatTypeOf(in.dtype);
  common.outer_stride = cut.length * cut.inner;
  common.stride = cut.inner;
  common.block = block;
  common.rule = BlockRuleOf(format);
  common.stream = IsWorthStreaming(in, out);
  const auto run = Best(kernels::QuantizeDequantizeBlocksVariants(), options.max_isa).run;
  const auto run_task = [&](size_t task, size_t) {
    kernels::QuantizeDequantizeBlocksArgs args = common;
    SetTask(cut, task, in, out, args);
    run(args);
  };
  RunTasks(ExecutorOf(options), cut.tasks(), run_task);
  return OkStatus();
}

}  // namespace lq
