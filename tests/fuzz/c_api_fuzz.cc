// Random descriptors for the quantizers, LPBQ and the calibration of the C API: no crash, no byte outside the buffers,
// nothing written by a call that fails, a message exactly when it fails.
//   cmake --preset fuzz && cmake --build --preset fuzz && build/fuzz/tests/fuzz/c_api_fuzz -max_total_time=600
#include <algorithm>
#include <memory>

#include "lanequant/lanequant.h"
#include "tests/fuzz/arguments.h"
#include "tests/fuzz/check.h"

namespace lq::fuzz {
namespace {

lq_bulk_options Options(Arguments& arguments) {
  static lq_executor* two = [] {
    lq_executor* executor = nullptr;
    lq_executor_create(2, &executor, nullptr);
    return executor;
  }();
  static constexpr const char* kTargets[] = {nullptr, "", "AVX2", "SSE2", "EMU128", "x"};
  return {arguments.StructSize<lq_bulk_options>(), arguments.OneIn(8) ? two : nullptr, kTargets[arguments.Int(0, 5)]};
}

constexpr std::initializer_list<lq_dtype> kFloats{LQ_F32, LQ_F16, LQ_BF16}, kReals{LQ_F32, LQ_F64, LQ_F16, LQ_BF16};
constexpr std::initializer_list<lq_dtype> kCodes{LQ_U2, LQ_S2, LQ_U4, LQ_S4, LQ_U8, LQ_S8, LQ_U16, LQ_S16, LQ_S32};

void FuzzAffine(Arguments& arguments) {
  const Dims shape = arguments.Shape(), scale_shape = arguments.Divisor(shape);
  const Dims blocks = arguments.Blocks(shape, scale_shape);
  const Array scale = arguments.Scales(scale_shape, kReals);
  const Array offset = arguments.Input(scale_shape, {LQ_S32, LQ_F32, LQ_F64});
  lq_affine_quantizer quantizer{};
  quantizer.struct_size = arguments.StructSize<lq_affine_quantizer>();
  quantizer.scale = arguments.OneIn(64) ? nullptr : &scale.tensor;
  quantizer.offset = arguments.OneIn(2) ? nullptr : &offset.tensor;
  quantizer.block_size = ToC(blocks);
  const int64_t bits = arguments.Int(1, arguments.OneIn(16) ? 62 : 16);
  quantizer.qmin = arguments.OneIn(2) ? 0 : -(int64_t{1} << (bits - 1));
  quantizer.qmax = quantizer.qmin + ((int64_t{1} << bits) - 1);
  if (arguments.OneIn(8)) quantizer.qmin = arguments.Int(-100, 100);
  quantizer.zero_point_shift = arguments.OneIn(8) ? arguments.Float() : arguments.OneIn(4) ? 0.5f : 0.0f;
  quantizer.profile = arguments.Enum(0, 3);
  const lq_bulk_options options = Options(arguments);
  const int64_t function = arguments.Int(0, 2);
  const auto run = [&](auto call, const Array& in, const Array& out) {
    Check([&](lq_message* m) { return call(&in.tensor, &quantizer, &out.tensor, &options, m); }, &out);
  };
  if (function == 0) return run(lq_quantize, arguments.Input(shape, kReals), arguments.Output(shape, kCodes, kFill));
  if (function == 1) return run(lq_dequantize, arguments.Input(shape, kCodes), arguments.Output(shape, kReals, kFill));
  const Array in = arguments.Input(shape, kReals);
  run(lq_quantize_dequantize, in, arguments.Output(shape, {in.tensor.dtype}, kFill));
}

void FuzzFloat(Arguments& arguments) {
  static constexpr lq_float_format kFormats[] = {{5, 10, 0, 0}, {8, 7, 0, 0}, {4, 3, 1, 0}, {4, 3, 1, 1}, {5, 2, 0, 0},
                                                 {5, 2, 1, 1},  {2, 3, 1, 0}, {3, 2, 1, 0}, {2, 1, 1, 0}};
  const Dims shape = arguments.Shape(), scale_shape = arguments.Divisor(shape);
  const Dims blocks = arguments.Blocks(shape, scale_shape);
  const Array scale = arguments.Scales(scale_shape, kFloats);
  lq_float_quantizer quantizer{};
  quantizer.struct_size = arguments.StructSize<lq_float_quantizer>();
  quantizer.format = kFormats[arguments.Int(0, 8)];
  if (arguments.OneIn(4)) {
    quantizer.format = {arguments.Enum(1, 9), arguments.Enum(0, 12), arguments.Enum(0, 1), arguments.Enum(0, 1)};
  }
  quantizer.scale = arguments.OneIn(4) ? nullptr : &scale.tensor;
  quantizer.block_size = ToC(blocks);
  quantizer.overflows = arguments.Enum(0, 1);
  const lq_bulk_options options = Options(arguments);
  const int64_t function = arguments.Int(0, 3);
  const auto run = [&](auto call, const Array& in, const Array& out) {
    Check([&](lq_message* m) { return call(&in.tensor, &quantizer, &out.tensor, &options, m); }, &out);
  };
  if (function == 0) {
    return run(lq_quantize_float, arguments.Input(shape, kFloats),
               arguments.Output(shape, {LQ_U8, LQ_U4, LQ_U6}, kFill));
  }
  if (function == 1) {
    return run(lq_dequantize_float, arguments.Input(shape, {LQ_U8, LQ_U4, LQ_U6}),
               arguments.Output(shape, kFloats, kFill));
  }
  if (function == 2) {
    float value = 0;
    Check([&](lq_message* m) { return lq_float_scale(&quantizer.format, arguments.Float(), &value, m); }, nullptr);
  }
  const Array in = arguments.Input(shape, kFloats);
  run(lq_quantize_dequantize_float, in, arguments.Output(shape, {in.tensor.dtype, LQ_F32}, kFill));
}

void FuzzBlocks(Arguments& arguments) {
  const Dims shape = arguments.Shape();
  lq_block_quantizer quantizer{};
  quantizer.struct_size = arguments.StructSize<lq_block_quantizer>();
  quantizer.format = arguments.Enum(0, 6);
  quantizer.element = arguments.Enum(0, 5);
  quantizer.exponent = arguments.Enum(0, 3);
  quantizer.ties = arguments.Enum(0, 2);
  quantizer.bit_width = arguments.Enum(2, 24);
  quantizer.block_size = arguments.OneIn(32) ? arguments.Int(INT64_MIN, INT64_MAX) : arguments.Int(0, 40);
  quantizer.axis = arguments.OneIn(32) ? arguments.Int(INT64_MIN, INT64_MAX) : arguments.Int(-4, 4);
  const lq_bulk_options options = Options(arguments);
  const Array in = arguments.Input(shape, kFloats), out = arguments.Output(shape, {in.tensor.dtype}, kFill);
  Check([&](lq_message* m) { return lq_quantize_dequantize_blocks(&in.tensor, &quantizer, &out.tensor, &options, m); },
        &out);
  Dims scale_shape = shape;
  if (!shape.empty()) {
    int64_t& dim = scale_shape[static_cast<size_t>(arguments.Int(0, static_cast<int64_t>(shape.size()) - 1))];
    dim /= arguments.OneIn(8) ? 1 : std::max<int64_t>(quantizer.block_size, 1);
  }
  const Array codes = arguments.Output(shape, {LQ_U4, LQ_U6, LQ_U8, LQ_S8, LQ_S16}, kFill);
  const Array scales = arguments.Output(scale_shape, {LQ_U8}, kFill);
  Check(
      [&](lq_message* m) {
        return lq_quantize_blocks(&in.tensor, &quantizer, &codes.tensor, &scales.tensor, &options, m);
      },
      &codes);
  Check(
      [&](lq_message* m) {
        return lq_dequantize_blocks(&codes.tensor, &scales.tensor, &quantizer, &out.tensor, &options, m);
      },
      nullptr);
}

struct Free {
  void operator()(lq_analyzer* p) const { lq_analyzer_free(p); }
  void operator()(lq_lpbq_scales* p) const { lq_lpbq_free(p); }
};

void FuzzLpbq(Arguments& arguments) {
  const Dims shape = arguments.Shape(), scale_shape = arguments.Divisor(shape);
  const Dims blocks = arguments.Blocks(shape, scale_shape),
             grouping = arguments.Blocks(scale_shape, arguments.Divisor(scale_shape));
  const lq_lpbq_layout layout{arguments.StructSize<lq_lpbq_layout>(),
                              arguments.Enum(2, 16),
                              arguments.Enum(2, 20),
                              ToC(scale_shape),
                              ToC(blocks),
                              ToC(grouping)};
  const lq_bulk_options options = Options(arguments);
  const Array weight = arguments.Input(shape, {LQ_F32});
  lq_lpbq_scales* scales = nullptr;
  const int64_t source = arguments.Int(0, 2);
  if (source == 0) {
    const Array raw = arguments.Scales(scale_shape, {LQ_F32, LQ_F64});
    Check([&](lq_message* m) { return lq_lpbq_derive(&raw.tensor, &layout, &scales, m); }, nullptr);
  } else if (source == 1) {
    const int32_t tool = arguments.Enum(0, 1);
    Check([&](lq_message* m) { return lq_lpbq_derive_of_weight(&weight.tensor, &layout, tool, &options, &scales, m); },
          nullptr);
  } else {
    const Array integers = arguments.Input(scale_shape, {LQ_S32});
    const Array channels = arguments.Scales(arguments.Divisor(scale_shape), {LQ_F32, LQ_F64});
    Check([&](lq_message* m) { return lq_lpbq_make(&layout, &integers.tensor, &channels.tensor, &scales, m); },
          nullptr);
  }
  const std::unique_ptr<lq_lpbq_scales, Free> owned(scales);
  lq_lpbq_look(scales);
  const Array codes = arguments.Output(shape, {LQ_S2, LQ_S4, LQ_S8, LQ_S16}, kFill);
  const int32_t profile = arguments.Enum(0, 3);
  Check([&](lq_message* m) { return lq_lpbq_compress(&weight.tensor, scales, profile, &codes.tensor, &options, m); },
        &codes);
  const Array out = arguments.Output(shape, {LQ_S8, LQ_F32}, kFill);
  Check([&](lq_message* m) { return lq_lpbq_expand(&codes.tensor, scales, &out.tensor, &options, m); }, &out);
}

void FuzzCalibration(Arguments& arguments) {
  const Dims shape = arguments.Shape(), scale_shape = arguments.Divisor(shape);
  const Dims blocks = arguments.Blocks(shape, scale_shape);
  lq_analyzer_options options{};
  options.struct_size = arguments.StructSize<lq_analyzer_options>();
  options.tool = arguments.Enum(0, 3);
  options.scheme = arguments.Enum(0, 5);
  options.qmin = arguments.Int(-300, 10);
  options.qmax = arguments.OneIn(32) ? arguments.Int(INT64_MIN, INT64_MAX) : arguments.Int(0, 300);
  options.symmetric = arguments.Enum(0, 1);
  options.unsigned_symmetric = arguments.OneIn(4) ? 1 : 0;
  options.zero_point_shift = arguments.OneIn(8) ? arguments.Float() : 0;
  options.percentile = arguments.OneIn(8) ? arguments.Float() : 99.5;
  options.scale_shape = ToC(scale_shape);
  options.block_size = ToC(blocks);
  const lq_bulk_options bulk = Options(arguments);
  std::unique_ptr<lq_analyzer, Free> analyzers[2];
  for (auto& owned : analyzers) {
    lq_analyzer* analyzer = nullptr;
    if (!Check([&](lq_message* m) { return lq_analyzer_create(&options, &analyzer, m); }, nullptr)) return;
    owned.reset(analyzer);
    if (arguments.OneIn(16)) options.qmax = 255;
  }
  lq_analyzer* analyzer = analyzers[0].get();
  for (int64_t batches = arguments.Int(0, 3); batches > 0; --batches) {
    const Array batch = arguments.Input(arguments.OneIn(8) ? arguments.Shape() : shape, {LQ_F32, LQ_F32, LQ_F16});
    lq_analyzer* to = analyzers[arguments.Int(0, 1)].get();
    Check([&](lq_message* m) { return lq_analyzer_update(to, &batch.tensor, &bulk, m); }, nullptr);
  }
  Check([&](lq_message* m) { return lq_analyzer_merge(analyzer, analyzers[1].get(), m); }, nullptr);
  const Array out = arguments.Output(scale_shape, {LQ_F64}, kFill);
  const lq_calibration result{
      sizeof(result), out.tensor.bytes / 8, static_cast<double*>(out.tensor.data), nullptr, nullptr, nullptr};
  Check([&](lq_message* m) { return lq_analyzer_compute(analyzer, &result, &bulk, m); }, &out);
}

}  // namespace
}  // namespace lq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lq::fuzz::Arguments arguments(data, size);
  constexpr void (*kWork[])(lq::fuzz::Arguments&) = {lq::fuzz::FuzzAffine, lq::fuzz::FuzzFloat, lq::fuzz::FuzzBlocks,
                                                     lq::fuzz::FuzzLpbq, lq::fuzz::FuzzCalibration};
  kWork[arguments.Int(0, 4)](arguments);
  return 0;
}
