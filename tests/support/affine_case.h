// Random affine quantizers over random layouts, for the tests of the bulk kernels. All that a kernel reads ends at, or
// begins after, guard pages.
#ifndef LANEQUANT_TESTS_SUPPORT_AFFINE_CASE_H_
#define LANEQUANT_TESTS_SUPPORT_AFFINE_CASE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "kernels/contracts_quantize.h"
#include "kernels/reference/affine.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {

// Floats in memory.
size_t BytesOf(kernels::FloatType type);
float FloatAt(const std::byte* floats, kernels::FloatType type, size_t i);
void SetFloat(std::byte* floats, kernels::FloatType type, size_t i, float value);  // rounds
// The same bits, or both NaN.
bool SameFloat(const std::byte* a, const std::byte* b, kernels::FloatType type, size_t i);

// Codes in memory.
size_t BytesOf(kernels::CodeType type, size_t n);
int64_t LowestOf(kernels::CodeType type);
int64_t HighestOf(kernels::CodeType type);
int64_t CodeAt(const std::byte* codes, kernels::CodeType type, size_t i);
void SetCode(std::byte* codes, kernels::CodeType type, size_t i, int64_t code);

// Everything that the arguments of a kernel hold but the data.
struct AffineCase {
  AffineCase(size_t elements, size_t count, size_t run, Random& random);

  static Guard GuardOf(Random& random) { return random.Chance(0.7) ? Guard::kAfter : Guard::kBefore; }

  size_t ScaleOf(size_t i) const { return i / layout.run % layout.count; }
  reference::AffineRule RuleOf(size_t i) const;
  // Whether the grid fits s32: if so `code` holds it.
  bool HasCodes() const { return qmax <= INT32_MAX && qmin >= INT32_MIN; }
  // A value that rounding may get wrong for element i: between codes, half-way, next to half-way, far outside, zeros,
  // subnormals, infinities and NaN.
  float ValueFor(size_t i, Random& random) const;
  std::string ToString() const;

  size_t n;
  kernels::FloatType type;
  kernels::CodeType code;
  kernels::Arithmetic arithmetic;
  RoundingProfile profile;
  int64_t qmin, qmax;
  float shift;
  bool stream;
  Guard guard;
  GuardedBuffer<float> scale;
  GuardedBuffer<int32_t> offset;
  kernels::AffineLayout layout{};

 private:
  void DrawArithmetic(Random& random);
  void DrawGrid(Random& random);
  void DrawScales(Random& random);
};

// Per tensor, per channel, per block, one scale for each element of a row; sizes around those of vectors and chunks.
template <class Check>
void ForRandomLayouts(size_t cases, Random& random, const Check& check) {
  for (size_t i = 0; i < cases; ++i) {
    const size_t n = random.Chance(0.05) ? 0 : random.LogSize(1, random.Chance(0.2) ? 6000 : 1500);
    switch (random.Int(0, 4)) {
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
      case 4:
        check(AffineCase(n, random.LogSize(400, 6000), 1, random));
        break;
    }
  }
}

// All values of a 16-bit type under one scale, often one of few bits, under which many of them lie on ties.
template <class Check>
void ForEveryHalf(size_t cases, Random& random, const Check& check) {
  constexpr size_t kHalves = 65536;
  GuardedBuffer<std::byte> in(kHalves * sizeof(uint16_t));
  for (size_t i = 0; i < kHalves; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    std::memcpy(in.data() + i * sizeof(bits), &bits, sizeof(bits));
  }
  for (size_t i = 0; i < cases; ++i) {
    AffineCase test(kHalves, 1, kHalves, random);
    test.type = random.Chance(0.5) ? kernels::FloatType::kF16 : kernels::FloatType::kBF16;
    test.arithmetic = kernels::Arithmetic::kF32;
    test.scale[0] = random.Chance(0.5) ? random.Float(0.001f, 0.1f) : static_cast<float>(random.Int(1, 255)) / 4096;
    check(test, in);
  }
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_AFFINE_CASE_H_
