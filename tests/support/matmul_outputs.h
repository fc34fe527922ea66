// What matrix products write: real values in each type of output, and calls that are cut at a channel.
#ifndef LANEQUANT_TESTS_SUPPORT_MATMUL_OUTPUTS_H_
#define LANEQUANT_TESTS_SUPPORT_MATMUL_OUTPUTS_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "kernels/contracts.h"
#include "kernels/reference/small_floats.h"
#include "lanequant/tensor.h"

namespace lq::testing {

// `y` in memory, of a real type.
inline void StoreReal(double y, kernels::OutputType type, std::byte* out) {
  const auto narrow = static_cast<float>(y);
  const uint16_t bits = type == kernels::OutputType::kF16 ? reference::F16Bits(narrow) : reference::BF16Bits(narrow);
  const void* from = type == kernels::OutputType::kF64   ? static_cast<const void*>(&y)
                     : type == kernels::OutputType::kF32 ? static_cast<const void*>(&narrow)
                                                         : &bits;
  std::memcpy(out, from, SizeOf(type));
}

inline bool IsNan(kernels::OutputType type, const std::byte* at) {
  double wide = 0;
  float narrow = 0;
  uint16_t bits = 0;
  switch (type) {
    case kernels::OutputType::kF64:
      std::memcpy(&wide, at, 8);
      return std::isnan(wide);
    case kernels::OutputType::kF32:
      std::memcpy(&narrow, at, 4);
      return std::isnan(narrow);
    case kernels::OutputType::kF16:
      std::memcpy(&bits, at, 2);
      return (bits & 0x7FFF) > 0x7C00;
    case kernels::OutputType::kBF16:
      std::memcpy(&bits, at, 2);
      return (bits & 0x7FFF) > 0x7F80;
    default:
      return false;
  }
}

// Any NaN equals any NaN.
inline bool SameOutput(kernels::OutputType type, const std::byte* a, const std::byte* b) {
  return std::memcmp(a, b, SizeOf(type)) == 0 || (IsNan(type, a) && IsNan(type, b));
}

// The real types of outputs, as tensors and kernels name them.
struct RealType {
  DType dtype;
  kernels::OutputType type;
};
inline constexpr RealType kRealTypes[] = {{DType::kF32, kernels::OutputType::kF32},
                                          {DType::kF64, kernels::OutputType::kF64},
                                          {DType::kF16, kernels::OutputType::kF16},
                                          {DType::kBF16, kernels::OutputType::kBF16}};

inline ::testing::AssertionResult SameReals(kernels::OutputType type, std::span<const double> expected,
                                            const std::byte* got) {
  for (size_t i = 0; i < expected.size(); ++i) {
    std::byte want[8];
    StoreReal(expected[i], type, want);
    if (SameOutput(type, want, got + i * SizeOf(type))) continue;
    return ::testing::AssertionFailure() << "output " << i << " is not " << expected[i] << ", type "
                                         << static_cast<int>(type);
  }
  return ::testing::AssertionSuccess();
}

// The channels in two calls: up to `cut`, a multiple of 64, and from there.
template <class Fn, class Args>
void RunInTwoCalls(const kernels::Variant<Fn>& variant, Args args, size_t cut) {
  for (const auto& [begin, end] : {std::pair<size_t, size_t>{0, cut}, {cut, args.n}}) {
    args.n_begin = begin;
    args.n_end = end;
    if (begin != end) variant.run(args);
  }
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_MATMUL_OUTPUTS_H_
