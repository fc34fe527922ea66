// Random formats, layouts and values for the tests of the float quantizers.
#ifndef LANEQUANT_TESTS_SUPPORT_FLOAT_CASE_H_
#define LANEQUANT_TESTS_SUPPORT_FLOAT_CASE_H_

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/contracts_float.h"
#include "kernels/reference/float_formats.h"
#include "kernels/reference/small_floats.h"
#include "runtime/quantize/float_format.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {

inline constexpr FloatFormat kNamedFormats[] = {kFloat16,        kBFloat16,     kFloat8E4M3Fn,
                                                kFloat8E4M3FnUz, kFloat8E5M2,   kFloat8E5M2FnUz,
                                                kFloat6E2M3Fn,   kFloat6E3M2Fn, kFloat4E2M1Fn};

inline FloatFormat RandomFormat(Random& random) {
  if (random.Chance(0.7)) return kNamedFormats[random.Size(0, std::size(kNamedFormats) - 1)];
  return {static_cast<int>(random.Int(2, 7)), static_cast<int>(random.Int(1, 10))};
}

inline DType DTypeOf(kernels::FloatType type) {
  return type == kernels::FloatType::kF32 ? DType::kF32 : type == kernels::FloatType::kF16 ? DType::kF16 : DType::kBF16;
}
inline kernels::Arithmetic ArithmeticOf(kernels::FloatType type) { return static_cast<kernels::Arithmetic>(type); }

inline float RoundToType(float x, kernels::FloatType type) {
  if (type == kernels::FloatType::kF32) return x;
  return type == kernels::FloatType::kF16 ? reference::RoundToF16(x) : reference::RoundToBF16(x);
}

// Any value: on the grid of the format, half way between, next to those, beyond the largest, tiny, special.
inline float RandomFloatValue(Random& random, const FloatFormat& format, float scale) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kSpecial[] = {
      0.0f,   -0.0f,   kInfinity,       -kInfinity,    std::numeric_limits<float>::quiet_NaN(),
      1e-45f, -1e-45f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f};
  if (random.Chance(0.05)) return kSpecial[random.Size(0, std::size(kSpecial) - 1)];
  const FormatNumbers numbers = *NumbersOf(format);
  const int lowest = numbers.min_exponent - format.mantissa_bits - 2, highest = std::ilogb(numbers.largest) + 2;
  const int exponent = static_cast<int>(random.Int(lowest, highest));
  const int64_t halves = int64_t{2} << format.mantissa_bits;
  const double mantissa = 1 + static_cast<double>(random.Int(0, halves)) / static_cast<double>(halves);
  float x = static_cast<float>(std::ldexp(mantissa, exponent) * scale * (random.Chance(0.5) ? 1 : -1));
  if (random.Chance(0.3)) x = std::nextafter(x, random.Chance(0.5) ? kInfinity : -kInfinity);
  return random.Chance(0.2) ? x * random.Float(0.5f, 2.0f) : x;
}

// f32, f16 or bf16 elements that end at a guard page; values are rounded to the type.
class FloatBuffer {
 public:
  FloatBuffer(size_t n, kernels::FloatType type, Guard guard)
      : type_(type), bytes_(n * (type == kernels::FloatType::kF32 ? 4 : 2), guard) {}

  void Set(size_t i, float x) {
    if (type_ == kernels::FloatType::kF32) {
      std::memcpy(bytes_.data() + 4 * i, &x, 4);
    } else {
      const uint16_t bits = type_ == kernels::FloatType::kF16 ? reference::F16Bits(x) : reference::BF16Bits(x);
      std::memcpy(bytes_.data() + 2 * i, &bits, 2);
    }
  }
  float Get(size_t i) const {
    float x = 0;
    uint16_t bits = 0;
    if (type_ == kernels::FloatType::kF32) {
      std::memcpy(&x, bytes_.data() + 4 * i, 4);
      return x;
    }
    std::memcpy(&bits, bytes_.data() + 2 * i, 2);
    return type_ == kernels::FloatType::kF16 ? reference::FloatOfF16(bits) : reference::FloatOfBF16(bits);
  }
  void* data() { return bytes_.data(); }

 private:
  kernels::FloatType type_;
  GuardedBuffer<std::byte> bytes_;
};

inline bool SameBits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof(float)) == 0;
}

// n elements under random scales.
struct FloatLayout {
  FloatLayout(size_t elements, Random& random) : n(elements) {
    const size_t count = random.Chance(0.3) ? 1 : random.LogSize(1, 100), run = random.LogSize(1, 200);
    for (size_t i = 0; i < count; ++i)
      scale.push_back(random.Chance(0.3) ? 1.0f
                                         : std::ldexp(random.Float(0.5f, 2.0f), static_cast<int>(random.Int(-8, 8))));
    layout = {scale.data(), nullptr, count, run};
  }
  // Of `count` scales, few of them beyond those that kernels have a fast way for.
  FloatLayout(size_t elements, size_t count, size_t run, Random& random) : n(elements) {
    const float share = random.Chance(0.3) ? 0.02f : 0.0f;
    for (size_t i = 0; i < count; ++i) {
      const auto exponent = static_cast<int>(random.Chance(share) ? random.Int(-80, 70) : random.Int(-20, 8));
      scale.push_back(std::ldexp(random.Float(0.5f, 2.0f), exponent));
    }
    layout = {scale.data(), nullptr, count, run};
  }
  FloatLayout(const FloatLayout&) = delete;

  float ScaleOf(size_t i) const { return scale[i / layout.run % scale.size()]; }
  std::string ToString() const {
    return "n " + std::to_string(n) + ", " + std::to_string(scale.size()) + " scales, run " +
           std::to_string(layout.run);
  }

  size_t n;
  std::vector<float> scale;
  kernels::AffineLayout layout{};
};

inline Guard RandomGuard(Random& random) { return random.Chance(0.5) ? Guard::kAfter : Guard::kBefore; }

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_FLOAT_CASE_H_
