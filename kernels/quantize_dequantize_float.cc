// Floats -> the nearest values of a small float format, times a scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_dequantize_float.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/contracts_float.h"
#include "kernels/round_float-inl.h"
#include "kernels/scale_chunks.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace quantize_dequantize_float {

using round_float::DF32;
using round_float::GridKind;
using round_float::VF32;
using small_floats::Element;

// kIn, kOut: in memory; kRound: what results are rounded to.
template <GridKind kKind, FloatType kIn, FloatType kOut, FloatType kRound>
void Run(const QuantizeDequantizeFloatArgs& args) {
  const DF32 df;
  const auto* in = static_cast<const Element<kIn>*>(args.in);
  auto* out = static_cast<Element<kOut>*>(args.out);
  const FloatGrid grid = args.grid;
  alignas(64) Element<kOut> buffer[stream::kChunk];
  ScaleChunks chunks(args.layout, args.n);
  ScaleChunk chunk;
  while (chunks.Next(chunk)) {
    const size_t in_buffer = chunk.begin % stream::kChunk, end = in_buffer + chunk.count;
    Element<kOut>* to = args.stream ? buffer + in_buffer : out + chunk.begin;
    for (size_t i = 0; i < chunk.count; i += hn::Lanes(df)) {
      const VF32 scale = hn::LoadU(df, chunk.scale + i);
      const VF32 x = small_floats::Load<kIn>(df, in + chunk.begin + i, chunk.count - i);
      const VF32 t = small_floats::RoundTo<kRound>(df, hn::Div(x, scale));
      // Storing rounds to kOut, which is kRound where that is narrow.
      const VF32 y = hn::Mul(round_float::RoundToGrid<kKind>(t, grid), scale);
      small_floats::Store<kOut>(df, y, to + i, chunk.count - i);
    }
    if (args.stream && (end == stream::kChunk || chunk.begin + chunk.count == args.n)) {
      stream::Copy(buffer, out + chunk.begin - in_buffer, end * sizeof(*buffer));
    }
  }
  if (args.stream) hwy::FlushStream();
}

template <FloatType kIn, FloatType kOut>
void RunInFloat(const QuantizeDequantizeFloatArgs& args) {
  if (args.grid.is_bfloat16) return Run<GridKind::kBFloat16, kIn, kOut, FloatType::kF32>(args);
  return Run<GridKind::kPlain, kIn, kOut, FloatType::kF32>(args);
}

template <FloatType kType>
void RunInOwnType(const QuantizeDequantizeFloatArgs& args) {
  if (args.grid.is_bfloat16) return Run<GridKind::kBFloat16, kType, kType, kType>(args);
  if (args.grid.carry != nullptr) return Run<GridKind::kCarried, kType, kType, kType>(args);
  return Run<GridKind::kPlain, kType, kType, kType>(args);
}

template <FloatType kType>
void RunHalf(const QuantizeDequantizeFloatArgs& args) {
  if (args.arithmetic != Arithmetic::kF32) return RunInOwnType<kType>(args);
  if (args.out_type == FloatType::kF32) return RunInFloat<kType, FloatType::kF32>(args);
  return RunInFloat<kType, kType>(args);
}

}  // namespace quantize_dequantize_float

void QuantizeDequantizeFloat(const QuantizeDequantizeFloatArgs& args) {
  switch (args.in_type) {
    case FloatType::kF32:
      return quantize_dequantize_float::RunInFloat<FloatType::kF32, FloatType::kF32>(args);
    case FloatType::kF16:
      return quantize_dequantize_float::RunHalf<FloatType::kF16>(args);
    case FloatType::kBF16:
      return quantize_dequantize_float::RunHalf<FloatType::kBF16>(args);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeDequantizeFloatFn>> QuantizeDequantizeFloatVariants() {
  static const std::vector<Variant<QuantizeDequantizeFloatFn>> variants =
      Runnable<QuantizeDequantizeFloatFn>(LQ_VARIANTS(QuantizeDequantizeFloat));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
