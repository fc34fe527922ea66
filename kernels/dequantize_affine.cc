// Codes -> f32 under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dequantize_affine.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/affine_pieces.h"
#include "kernels/contracts.h"
#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace dequantize_affine {

using quantize::D32;
using quantize::DF32;
using quantize::V32;
using quantize::VF32;

// Values from element i of the piece on, `left` of them if these are fewer than a vector has. kUniform: scale and
// offset are those of all elements; else each has its own and those passed are not used.
template <bool kUniform, class T>
HWY_INLINE VF32 Values(const T* in, const AffinePiece& piece, size_t i, size_t left, VF32 scale, V32 offset) {
  if constexpr (!kUniform) {
    scale = quantize::LoadUpTo(DF32(), piece.scale + i, left);
    offset = quantize::LoadUpTo(D32(), piece.offset + i, left);
  }
  return quantize::ToValues(quantize::LoadCodes(in + piece.begin + i, left), scale, offset);
}

template <bool kUniform, class T>
HWY_INLINE void DequantizePiece(const T* in, AffinePiece piece, float* out) {
  const DF32 df;
  const size_t lanes = hn::Lanes(df);
  const VF32 scale = hn::Set(df, *piece.scale);
  const V32 offset = hn::Set(D32(), *piece.offset);
  float* begin = out + piece.begin;
  size_t i = 0;
  for (; i + 2 * lanes <= piece.count; i += 2 * lanes) {
    hn::StoreU(Values<kUniform>(in, piece, i, lanes, scale, offset), df, begin + i);
    hn::StoreU(Values<kUniform>(in, piece, i + lanes, lanes, scale, offset), df, begin + i + lanes);
  }
  for (; i < piece.count; i += lanes) {
    const size_t left = piece.count - i;
    quantize::StoreUpTo(Values<kUniform>(in, piece, i, left, scale, offset), df, begin + i, left);
  }
}

template <class T>
void Run(const DequantizeAffineArgs& args) {
  const T* in = static_cast<const T*>(args.in);
  AffinePieces pieces(args.layout, args.n);
  AffinePiece piece;
  float* out = static_cast<float*>(args.out);
  if (pieces.uniform()) {
    while (pieces.Next(piece)) DequantizePiece<true>(in, piece, out);
  } else {
    while (pieces.Next(piece)) DequantizePiece<false>(in, piece, out);
  }
}

}  // namespace dequantize_affine

void DequantizeAffine(const DequantizeAffineArgs& args) {
  switch (args.type) {
    case CodeType::kU8:
      return dequantize_affine::Run<uint8_t>(args);
    case CodeType::kS8:
      return dequantize_affine::Run<int8_t>(args);
    case CodeType::kU16:
      return dequantize_affine::Run<uint16_t>(args);
    case CodeType::kS16:
      return dequantize_affine::Run<int16_t>(args);
    default:
      return;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<DequantizeAffineFn>> DequantizeAffineVariants() {
  static const std::vector<Variant<DequantizeAffineFn>> variants =
      Runnable<DequantizeAffineFn>(LQ_VARIANTS(DequantizeAffine));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
