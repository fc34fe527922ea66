#include "runtime/measure/bulk_timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "lanequant/quantize.h"
#include "runtime/aligned_buffer.h"
#include "runtime/measure/clock.h"
#include "runtime/measure/probe.h"
#include "runtime/status_macros.h"

namespace lq::measure {
namespace {

constexpr int64_t kColumns = 4096;
constexpr int kPasses = 7;

enum class Op { kQuantize, kDequantize, kQuantizeDequantize };

struct Case {
  Op op;
  DType codes;
  int64_t block;  // elements of a row that share a scale; 0: one scale for all
};
constexpr Case kCases[] = {{Op::kQuantize, DType::kS8, 0},           {Op::kQuantize, DType::kS8, kColumns},
                           {Op::kQuantize, DType::kS8, 64},          {Op::kQuantize, DType::kS4, 64},
                           {Op::kDequantize, DType::kS8, 0},         {Op::kDequantize, DType::kS4, 64},
                           {Op::kQuantizeDequantize, DType::kS8, 0}, {Op::kQuantizeDequantize, DType::kS8, kColumns},
                           {Op::kQuantizeDequantize, DType::kS8, 64}};

std::string NameOf(const Case& c) {
  const std::string what = c.op == Op::kQuantize     ? fmt::format("quantize f32 -> {}", lq::NameOf(c.codes))
                           : c.op == Op::kDequantize ? fmt::format("dequantize {} -> f32", lq::NameOf(c.codes))
                                                     : fmt::format("quantize-dequantize {}", lq::NameOf(c.codes));
  if (c.block == 0) return what + ", per tensor";
  return c.block == kColumns ? what + ", per channel" : fmt::format("{}, block {}", what, c.block);
}

class BulkTimer {
 public:
  static Result<BulkTimer> Make(const BulkTimingOptions& options) {
    const size_t bytes = options.rows * kColumns * sizeof(float);
    LQ_ASSIGN_OR_RETURN(AlignedBuffer in, AlignedBuffer::Make("input", bytes));
    LQ_ASSIGN_OR_RETURN(AlignedBuffer out, AlignedBuffer::Make("output", bytes));
    std::fill_n(out.as<uint8_t>(), bytes, uint8_t{1});  // the pages are there before the first pass
    // Floats of -1..1, which are also codes of all kinds.
    uint32_t seed = 1;
    std::generate_n(in.as<float>(), bytes / sizeof(float), [&] {
      seed = seed * 1664525 + 1013904223;
      return static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-31f;
    });
    return BulkTimer(options, std::move(in), std::move(out));
  }

  Result<BulkTiming> Time(const Case& c) const {
    const Shape shape{static_cast<int64_t>(options_.rows), kColumns};
    const size_t codes = BytesOf(c.codes, shape.NumElements()), reals = BytesOf(DType::kF32, shape.NumElements());
    const DType from = c.op == Op::kDequantize ? c.codes : DType::kF32;
    const DType to = c.op == Op::kQuantize ? c.codes : DType::kF32;
    const size_t in_bytes = from == DType::kF32 ? reals : codes, out_bytes = to == DType::kF32 ? reals : codes;
    const ConstTensorView in(from, shape, in_.span().first(in_bytes));
    const TensorView out{to, shape, out_.span().first(out_bytes)};
    BulkTiming timing{NameOf(c), HUGE_VAL, HUGE_VAL, static_cast<double>(in_bytes + out_bytes)};
    for (int pass = 0; pass < kPasses; ++pass) {
      Status status = OkStatus();
      timing.seconds = std::min(timing.seconds, Seconds([&] { status = Run(c, in, out); }));
      LQ_RETURN_IF_ERROR(status);
      timing.stream_seconds =
          std::min(timing.stream_seconds,
                   Seconds([&] { Stream(in_.data(), in_bytes, out_.data(), out_bytes, true, options_.executor); }));
    }
    return timing;
  }

 private:
  BulkTimer(const BulkTimingOptions& options, AlignedBuffer in, AlignedBuffer out)
      : options_(options),
        in_(std::move(in)),
        out_(std::move(out)),
        scale_(options.rows * static_cast<size_t>(kColumns) / 64, 0.0078f) {}

  Status Run(const Case& c, const ConstTensorView& in, const TensorView& out) const {
    const int64_t rows = static_cast<int64_t>(options_.rows);
    const Shape scales = c.block == 0 ? Shape{1} : Shape{rows, kColumns / c.block};
    const auto bytes = std::as_bytes(std::span(scale_)).first(BytesOf(DType::kF32, scales.NumElements()));
    const bool s4 = c.codes == DType::kS4;
    const AffineQuantizer quantizer{.scale = {DType::kF32, scales, bytes},
                                    .offset = {},
                                    .block_size = c.block == 0 ? std::span<const int64_t>() : kEach,
                                    .qmin = s4 ? -8 : -128,
                                    .qmax = s4 ? 7 : 127};
    const BulkOptions bulk{&options_.executor, options_.max_isa};
    if (c.op == Op::kQuantize) return Quantize(in, quantizer, out, bulk);
    if (c.op == Op::kDequantize) return Dequantize(in, quantizer, out, bulk);
    return QuantizeDequantize(in, quantizer, out, bulk);
  }

  static constexpr int64_t kEach[] = {-1, -1};
  const BulkTimingOptions& options_;
  AlignedBuffer in_, out_;
  std::vector<float> scale_;
};

}  // namespace

Result<std::vector<BulkTiming>> TimeQuantizers(const BulkTimingOptions& options) {
  LQ_ASSIGN_OR_RETURN(const BulkTimer timer, BulkTimer::Make(options));
  std::vector<BulkTiming> timings;
  for (const Case& c : kCases) {
    LQ_ASSIGN_OR_RETURN(BulkTiming timing, timer.Time(c));
    timings.push_back(std::move(timing));
    if (options.progress)
      options.progress(static_cast<double>(timings.size()) / static_cast<double>(std::size(kCases)));
  }
  return timings;
}

}  // namespace lq::measure
