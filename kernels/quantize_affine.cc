// float -> codes under any AffineLayout.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_affine.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/affine_codes-inl.h"
#include "kernels/affine_loop-inl.h"
#include "kernels/affine_nibbles-inl.h"
#include "kernels/affine_rules-inl.h"
#include "kernels/contracts_quantize.h"
#include "kernels/packed_codes-inl.h"
#include "kernels/small_floats-inl.h"
#include "kernels/stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

namespace quantize_affine {

using affine::Rule;

// Elements [i, i + n) as floats; `buffer` holds as many.
HWY_INLINE const float* Floats(const QuantizeAffineArgs& args, size_t i, size_t n, float* buffer) {
  if (args.in_type == FloatType::kF32) return static_cast<const float*>(args.in) + i;
  const uint16_t* in = static_cast<const uint16_t*>(args.in) + i;
  if (args.in_type == FloatType::kF16) {
    small_floats::ToFloats<FloatType::kF16>(in, n, buffer);
  } else {
    small_floats::ToFloats<FloatType::kBF16>(in, n, buffer);
  }
  return buffer;
}

// kIn: what the loop reads, the type of the elements or kF32.
template <Rule kRule, class T, FloatType kIn = FloatType::kF32>
HWY_NOINLINE void Run(const QuantizeAffineArgs& args, int64_t limit) {
  using Kernel = affine::CodesKernel<kRule, T, kIn>;
  using In = typename Kernel::In;
  Kernel kernel(args, limit);
  affine::AffineLoop<Kernel> loop(args.layout, args.n, kernel);
  const size_t bits = packed_codes::BitsOf(args.type);
  const bool direct = bits == 0 && !args.stream;
  if (args.in_type == kIn && direct) {
    return loop.Run(static_cast<const In*>(args.in), args.n, static_cast<T*>(args.out));
  }
  constexpr size_t kChunk = sizeof(T) == 4 ? 1024 : 2048;  // of bytes 4096 leave the kernel waiting for the stores
  alignas(64) float floats[kIn == FloatType::kF32 ? kChunk : 1];
  alignas(64) T codes[kChunk];
  for (size_t i = 0; i < args.n; i += kChunk) {
    const size_t n = std::min(kChunk, args.n - i);
    uint8_t* out = static_cast<uint8_t*>(args.out) + (bits == 0 ? i * sizeof(T) : i * bits / 8);
    const In* in;
    if constexpr (kIn == FloatType::kF32) {
      in = Floats(args, i, n, floats);
    } else {
      in = static_cast<const In*>(args.in) + i;
    }
    loop.Run(in, n, direct ? reinterpret_cast<T*>(out) : codes);
    if constexpr (sizeof(T) == 1) {
      if (bits != 0) packed_codes::Pack(codes, n, bits, args.stream ? codes : out);
    }
    if (args.stream) stream::Copy(codes, out, bits == 0 ? n * sizeof(T) : (n * bits + 7) / 8);
  }
  if (args.stream) hwy::FlushStream();
}

#if LQ_LOWEST_FOR_NAN
HWY_NOINLINE void RunNibbles(const QuantizeAffineArgs& args, int64_t limit) {
  affine::NibblesKernel kernel(args, limit);
  affine::AffineLoop<affine::NibblesKernel> loop(args.layout, args.n, kernel);
  const auto* in = static_cast<const float*>(args.in);
  auto* out = static_cast<uint8_t*>(args.out);
  if (!args.stream) return loop.Run(in, args.n, affine::Nibbles(out));
  constexpr size_t kChunk = 2048;
  alignas(64) uint8_t bytes[kChunk / 2];
  for (size_t i = 0; i < args.n; i += kChunk) {
    const size_t n = std::min(kChunk, args.n - i);
    loop.Run(in + i, n, affine::Nibbles(bytes));
    stream::Copy(bytes, out + i / 2, (n + 1) / 2);
  }
  hwy::FlushStream();
}
#endif

// Codes of a byte or less, the loop for which converts float16 and bfloat16 itself where that is the common case.
template <Rule kRule>
void RunBytes(const QuantizeAffineArgs& args, int64_t limit) {
  if constexpr (kRule == Rule::kDivide) {
#if LQ_LOWEST_FOR_NAN
    if (limit >= 0 && affine::AreNibbles(args)) return RunNibbles(args, limit);
#endif
    if (args.in_type == FloatType::kF16) return Run<kRule, uint8_t, FloatType::kF16>(args, limit);
    if (args.in_type == FloatType::kBF16) return Run<kRule, uint8_t, FloatType::kBF16>(args, limit);
  }
  Run<kRule, uint8_t>(args, limit);
}

template <Rule kRule>
void RunType(const QuantizeAffineArgs& args, int64_t limit) {
  switch (args.type) {
    case CodeType::kU16:
    case CodeType::kS16:
      return Run<kRule, uint16_t>(args, limit);
    case CodeType::kS32:  // one loop, whose literal way knows the others' rules: codes of 32 bits take it in any case
      return Run<Rule::kDivide, int32_t>(args, kRule == Rule::kDivide ? limit : -1);
    default:
      return RunBytes<kRule>(args, limit);
  }
}

// In kType, float16 or bfloat16, whose units have 11 and 8 bits: wider codes go the literal way, as do elements of
// other types, which the rule does not round to kType.
template <Rule kRule, FloatType kType>
void RunNarrow(const QuantizeAffineArgs& args) {
  const bool wide = args.type == CodeType::kU16 || args.type == CodeType::kS16 || args.type == CodeType::kS32;
  if (wide || args.in_type != kType) return RunType<Rule::kDivide>(args, -1);
  Run<kRule, uint8_t, kType>(args, affine::UnitLimit(args.arithmetic));
}

}  // namespace quantize_affine

void QuantizeAffine(const QuantizeAffineArgs& args) {
  using namespace quantize_affine;  // NOLINT(google-build-using-namespace)
  const int64_t limit = affine::UnitLimit(Arithmetic::kF32);
  if (args.profile == RoundingProfile::kAimetFakequant) return RunType<Rule::kReciprocal>(args, limit);
  if (args.profile == RoundingProfile::kAimetOnnx) return RunType<Rule::kHalfUp>(args, limit);
  if (args.shift != 0 && args.profile == RoundingProfile::kAimetDiv) return RunType<Rule::kDivide>(args, -1);
  switch (args.arithmetic) {
    case Arithmetic::kF32:
      return RunType<Rule::kDivide>(args, limit);
    case Arithmetic::kF16:
      return RunNarrow<Rule::kDivideF16, FloatType::kF16>(args);
    case Arithmetic::kBF16:
      return RunNarrow<Rule::kDivideBF16, FloatType::kBF16>(args);
    case Arithmetic::kF64:
      return RunType<Rule::kDivide>(args, -1);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<QuantizeAffineFn>> QuantizeAffineVariants() {
  static const std::vector<Variant<QuantizeAffineFn>> variants =
      Runnable<QuantizeAffineFn>(LQ_VARIANTS(QuantizeAffine));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
