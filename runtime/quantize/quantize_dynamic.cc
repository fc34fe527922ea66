// Codes with scales that are found from the data.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/contracts_quantize.h"
#include "lanequant/quantize.h"
#include "runtime/quantize/affine_setup.h"
#include "runtime/quantize/bulk_checks.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

Status CheckDynamic(const ConstTensorView& in, int64_t block_size, const ConstTensorView& codes,
                    const ConstTensorView& scales) {
  if (in.dtype != DType::kF32) return InvalidArgument(fmt::format("in: type {}, but it must be f32", NameOf(in.dtype)));
  if (codes.dtype != DType::kS8 && codes.dtype != DType::kS4) {
    return InvalidArgument(fmt::format("codes: type {}, but it must be s8 or s4", NameOf(codes.dtype)));
  }
  if (scales.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("scales: type {}, but it must be f32", NameOf(scales.dtype)));
  }
  if (block_size != 32 && block_size != 64) {
    return InvalidArgument(fmt::format("block_size: {}, but it must be 32 or 64", block_size));
  }
  LQ_RETURN_IF_ERROR(CheckPair({"in", in}, {"codes", codes}, /*in_place=*/false));
  const size_t rank = in.shape.rank();
  if (rank == 0 || in.shape[rank - 1] % block_size != 0) {
    return InvalidArgument(fmt::format("block_size: {} does not divide the last dimension of in, shape {}", block_size,
                                       in.shape.ToString()));
  }
  Shape blocks = in.shape;
  blocks[rank - 1] /= block_size;
  if (!(scales.shape == blocks)) {
    return InvalidArgument(
        fmt::format("scales: shape {}, but there are blocks of shape {}", scales.shape.ToString(), blocks.ToString()));
  }
  LQ_RETURN_IF_ERROR(CheckBytes("scales", scales));
  LQ_RETURN_IF_ERROR(CheckApart({"in", in}, {"scales", scales}));
  return CheckApart({"codes", codes}, {"scales", scales});
}

}  // namespace

Status QuantizeDynamic(const ConstTensorView& in, int64_t block_size, const TensorView& codes, const TensorView& scales,
                       const BulkOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckDynamic(in, block_size, codes, scales));
  const auto run = Best(kernels::QuantizeDynamicVariants(), options.max_isa).run;
  const auto block = static_cast<size_t>(block_size), n = static_cast<size_t>(in.shape.NumElements());
  const size_t bits = BitsOf(codes.dtype);
  const bool stream = IsWorthStreaming(in, codes);
  RunTasks(ExecutorOf(options), (n + kTaskElements - 1) / kTaskElements, [&](size_t task, size_t) {
    const size_t begin = task * kTaskElements;  // of a block, a byte and a cache line
    run({.in = in.data<float>() + begin,
         .n = std::min(kTaskElements, n - begin),
         .block = block,
         .type = CodeTypeOf(codes.dtype),
         .scale = scales.data<float>() + begin / block,
         .out = codes.bytes.data() + begin * bits / 8,
         .stream = stream});
  });
  return OkStatus();
}

}  // namespace lq
