#include <fmt/format.h>

#include <algorithm>

#include "kernels/contracts_quantize.h"
#include "lanequant/lpbq.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/quantize/first_bad.h"
#include "runtime/quantize/lpbq_layout.h"
#include "runtime/quantize/packed_codes.h"
#include "runtime/quantize/scale_map.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {
namespace {

Status CheckScales(const LpbqScales& scales) {
  LQ_RETURN_IF_ERROR(CheckLpbqLayout(scales.layout));
  const size_t blocks = static_cast<size_t>(scales.layout.scale_shape.NumElements());
  if (scales.int_scale.size() == blocks && scales.scale.size() == blocks) return OkStatus();
  return InvalidArgument(fmt::format("LPBQ: {} integer scales and {} scales, but scale_shape {} needs {}",
                                     scales.int_scale.size(), scales.scale.size(), scales.layout.scale_shape.ToString(),
                                     blocks));
}

// The quantizer of all codes; it points into `scales`.
AffineQuantizer QuantizerOf(const LpbqScales& scales, RoundingProfile profile) {
  AffineQuantizer quantizer;
  quantizer.scale = {DType::kF32, scales.layout.scale_shape, std::as_bytes(std::span(scales.scale))};
  quantizer.block_size = scales.layout.block_size;
  quantizer.qmax = (int64_t{1} << (scales.layout.bitwidth - 1)) - 1;
  quantizer.qmin = -quantizer.qmax - 1;
  quantizer.profile = profile;
  return quantizer;
}

struct ExpandJob {
  const uint8_t* codes;
  size_t bits;  // of a code in memory: 2, 4 or 8
  const uint32_t* int_scale;
  int8_t* out;
  kernels::LpbqExpandFn run;  // of 4-bit codes
  bool stream;
};

// Any codes, wherever they begin. Products that an LPBQ grid does not have wrap around.
void ExpandEach(const ExpandJob& job, const ScalePiece& piece) {
  for (size_t i = 0; i < piece.n; ++i) {
    uint8_t code = 0;
    UnpackCodes(job.codes, piece.begin + i, 1, job.bits, true, &code);
    const uint32_t product = code * job.int_scale[piece.first + i / piece.run % piece.count];
    job.out[piece.begin + i] = static_cast<int8_t>(static_cast<uint8_t>(product));
  }
}

// The pointers do not meet, groups have one size: vector code.
void NarrowScales(const uint32_t* __restrict from, size_t n, uint8_t* __restrict to) {
  constexpr size_t kGroup = 64;
  size_t i = 0;
  for (; i + kGroup <= n; i += kGroup) {
    for (size_t j = i; j < i + kGroup; ++j) to[j] = static_cast<uint8_t>(from[j]);
  }
  for (; i < n; ++i) to[i] = static_cast<uint8_t>(from[i]);
}

// Even, so that each call of the kernel begins with a byte of codes.
constexpr size_t kScales = 1024;

// The kernel takes scales of a byte, which do not come back: a call for each kScales of them, and for each time that
// the piece goes through its own.
void ExpandPiece(const ExpandJob& job, const ScalePiece& piece) {
  const size_t period = piece.count * piece.run;
  if (job.bits != 4 || piece.begin % 2 != 0 || (period % 2 != 0 && period < piece.n)) return ExpandEach(job, piece);
  uint8_t scales[kScales];
  for (size_t i = 0; i < piece.n;) {
    const size_t first = i % period / piece.run, count = std::min(kScales, piece.count - first);
    const size_t begin = piece.begin + i, n = std::min(count * piece.run, piece.n - i);
    NarrowScales(job.int_scale + piece.first + first, count, scales);
    job.run({job.codes + begin / 2, scales, n, piece.run, job.out + begin, job.stream});
    i += n;
  }
}

Status CheckExpand(const ConstTensorView& codes, const LpbqScales& scales, const TensorView& out) {
  if (codes.dtype != DType::kS2 && codes.dtype != DType::kS4 && codes.dtype != DType::kS8) {
    return InvalidArgument(fmt::format("codes of type {}; LPBQ expands s2, s4 and s8 to s8", NameOf(codes.dtype)));
  }
  if (BitsOf(codes.dtype) < static_cast<size_t>(scales.layout.bitwidth)) {
    return InvalidArgument(
        fmt::format("codes of type {}, but bitwidth is {}", NameOf(codes.dtype), scales.layout.bitwidth));
  }
  if (scales.layout.decompressed_bitwidth > 8) {
    return InvalidArgument(fmt::format("out of type s8 does not hold a decompressed_bitwidth of {}; f32 does",
                                       scales.layout.decompressed_bitwidth));
  }
  LQ_RETURN_IF_ERROR(CheckView("LPBQ", "codes", codes, codes.shape));
  return CheckView("LPBQ", "out", out, codes.shape);
}

Status ExpandToS8(const ConstTensorView& codes, const LpbqScales& scales, const TensorView& out,
                  const BulkOptions& bulk) {
  LQ_RETURN_IF_ERROR(ValidateTarget(bulk.max_isa));
  LQ_RETURN_IF_ERROR(CheckExpand(codes, scales, out));
  LQ_ASSIGN_OR_RETURN(const ScaleMap map,
                      ScaleMap::Make("codes", codes.shape, scales.layout.scale_shape, scales.layout.block_size));
  const uint32_t* int_scale = scales.int_scale.data();
  const uint32_t largest = LargestIntScale(scales.layout);
  const size_t bad =
      FirstBad(ExecutorOf(bulk), scales.int_scale.size(), [=](size_t i) { return int_scale[i] > largest; });
  if (bad != scales.int_scale.size()) {
    return InvalidArgument(fmt::format("int_scale: element {} is {}, above {}", bad, int_scale[bad], largest));
  }
  const ExpandJob job{codes.data<uint8_t>(),
                      BitsOf(codes.dtype),
                      int_scale,
                      out.data<int8_t>(),
                      Best(kernels::LpbqExpandVariants(), bulk.max_isa).run,
                      IsWorthStreaming(codes, out)};
  ForEachTask(map, bulk, [&](Range range) {
    for (size_t i = range.begin; i < range.end;) {
      const ScalePiece piece = map.At(i, range.end);
      ExpandPiece(job, piece);
      i += piece.n;
    }
  });
  return OkStatus();
}

}  // namespace

Status LpbqCompress(const ConstTensorView& weight, const LpbqScales& scales, RoundingProfile profile,
                    const TensorView& codes, const BulkOptions& bulk) {
  LQ_RETURN_IF_ERROR(CheckScales(scales));
  if (weight.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("weight of type {}; f32 is supported", NameOf(weight.dtype)));
  }
  return Quantize(weight, QuantizerOf(scales, profile), codes, bulk);
}

Status LpbqExpand(const ConstTensorView& codes, const LpbqScales& scales, const TensorView& out,
                  const BulkOptions& bulk) {
  LQ_RETURN_IF_ERROR(CheckScales(scales));
  if (out.dtype == DType::kS8) return ExpandToS8(codes, scales, out, bulk);
  if (out.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("out of type {}; s8 and f32 are supported", NameOf(out.dtype)));
  }
  return Dequantize(codes, QuantizerOf(scales, RoundingProfile::kAimetDiv), out, bulk);
}

}  // namespace lq
