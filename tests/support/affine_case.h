// Tensors under random affine layouts, for the tests of the quantizer kernels. All that a kernel reads ends at, or
// begins after, guard pages.
#ifndef LANEQUANT_TESTS_SUPPORT_AFFINE_CASE_H_
#define LANEQUANT_TESTS_SUPPORT_AFFINE_CASE_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "kernels/contracts.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {

// Every order of magnitude of a float, the smallest and the largest included; often a power of two.
inline float RandomScale(Random& random) {
  if (random.Chance(0.2)) return std::ldexp(1.0f, static_cast<int>(random.Int(-10, 4)));
  if (random.Chance(0.1)) return std::ldexp(random.Float(1, 2), static_cast<int>(random.Int(-149, 127)));
  return std::exp(random.Float(-8, 3));
}

// Values that rounding may get wrong, in units of a scale: between codes, half-way, next to half-way, far outside,
// zeros, subnormals, infinities and NaN.
inline float RandomValue(Random& random, Grid grid, float scale, int32_t offset) {
  constexpr float kSpecial[] = {0.0f,
                                -0.0f,
                                1e-45f,
                                -1e-45f,
                                3.4028235e38f,
                                -3.4028235e38f,
                                std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity(),
                                std::numeric_limits<float>::quiet_NaN()};
  if (random.Chance(0.02)) return kSpecial[random.Size(0, std::size(kSpecial) - 1)];
  const double unit = static_cast<double>(random.Int(grid.qmin() - 3, grid.qmax() + 3) + offset);
  if (random.Chance(0.5)) return static_cast<float>((unit + random.Real(-0.5, 0.5)) * scale);
  const float half_way = static_cast<float>((unit + 0.5) * scale);
  const float next = random.Chance(0.5) ? -3.4028235e38f : 3.4028235e38f;
  return random.Chance(0.5) ? half_way : std::nextafter(half_way, next);
}

// A grid, the type of its codes, and a layout of scales and offsets with |q + offset| <= 2^24.
struct AffineCase {
  AffineCase(size_t elements, size_t count, size_t run, Random& random)
      : n(elements), scale(count, GuardOf(random)), offset(count, GuardOf(random)) {
    grid = {static_cast<int>(random.Int(2, 16)), random.Chance(0.5)};
    const bool wide = grid.bitwidth > 8 || random.Chance(0.2);
    type = grid.is_signed ? (wide ? kernels::CodeType::kS16 : kernels::CodeType::kS8)
                          : (wide ? kernels::CodeType::kU16 : kernels::CodeType::kU8);
    const bool far = random.Chance(0.1);
    for (size_t i = 0; i < count; ++i) {
      scale[i] = RandomScale(random);
      const int64_t reach = far ? 1 << 24 : grid.qmax() - grid.qmin();
      offset[i] = static_cast<int32_t>(random.Int(-reach - (far ? grid.qmin() : 0), far ? reach - grid.qmax() : reach));
    }
    layout = {scale.data(), offset.data(), count, run};
  }

  static Guard GuardOf(Random& random) { return random.Chance(0.7) ? Guard::kAfter : Guard::kBefore; }

  size_t ScaleOf(size_t i) const { return i / layout.run % layout.count; }
  size_t CodeBytes() const { return type == kernels::CodeType::kU8 || type == kernels::CodeType::kS8 ? 1 : 2; }
  std::string ToString() const {
    return "n " + std::to_string(n) + ", " + std::to_string(layout.count) + " scales, runs of " +
           std::to_string(layout.run) + ", " + (grid.is_signed ? "s" : "u") + std::to_string(grid.bitwidth) + " in " +
           std::to_string(CodeBytes()) + " bytes";
  }

  size_t n;
  Grid grid;
  kernels::CodeType type;
  GuardedBuffer<float> scale;
  GuardedBuffer<int32_t> offset;
  kernels::AffineLayout layout{};
};

// Per tensor, per channel, per block, one scale for each element of a row; sizes around those of vectors.
template <class Check>
void ForRandomLayouts(size_t cases, Random& random, const Check& check) {
  for (size_t i = 0; i < cases; ++i) {
    const size_t n = random.Chance(0.1) ? 0 : random.LogSize(1, 1500);
    switch (random.Int(0, 3)) {
      case 0:
        check(AffineCase(n, 1, random.LogSize(1, 1500), random));
        break;
      case 1:
        check(AffineCase(n, random.LogSize(1, 40), random.LogSize(1, 400), random));
        break;
      case 2:
        check(AffineCase(n, random.LogSize(1, 400), size_t{1} << random.Int(1, 7), random));
        break;
      case 3:
        check(AffineCase(n, random.LogSize(1, 400), 1, random));
        break;
    }
  }
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_AFFINE_CASE_H_
