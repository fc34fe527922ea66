// Random matmul layers with every output that the references expect, and the comparison of a kernel variant with them.
#ifndef LANEQUANT_TESTS_SUPPORT_MATMUL_CASES_H_
#define LANEQUANT_TESTS_SUPPORT_MATMUL_CASES_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {

enum class MatmulWeights { kS8, kS4, kS16 };

// What the operands are like.
enum class MatmulStyle {
  kRandom,
  kTies,     // scales are powers of two, biases multiples of half a code: many outputs lie exactly between codes
  kExtreme,  // all codes the largest, all weights the most negative: the largest sums
  kEnds,     // codes the smallest or the largest, weights too
};

struct MatmulShape {
  MatmulWeights weights = MatmulWeights::kS8;
  size_t m = 1, n = 1, k = 1;
  size_t block = 0;             // kS4
  uint32_t largest_scale = 16;  // kS4: integer scales 1..largest_scale
  MatmulStyle style = MatmulStyle::kRandom;
  bool wide = false;  // u16 codes
  size_t runs = 0;    // if not 0: rows are patches of so many runs, which divide k into multiples of 4

  // kTies: few distinct sums, so that many outputs fall on the same half-way points.
  int64_t LargestCode() const { return style == MatmulStyle::kTies ? 7 : wide ? 65535 : 255; }
  std::string ToString() const;
};

// One layer: operands, epilogue and expected outputs. All memory that a kernel sees ends at guard pages.
class MatmulCase {
 public:
  MatmulCase(const MatmulShape& shape, Random& random);

  // Runs a variant over the channels in one call or cut at a multiple of 64, and compares every output bit for bit.
  // Elements between rows must be untouched.
  ::testing::AssertionResult Check(const kernels::Variant<kernels::MatmulFn>& variant) const;

  // Of the outputs that lie exactly half-way between two codes.
  size_t exact_ties() const { return exact_ties_; }

 private:
  struct BatchNorm {
    float gamma, beta, mean, variance;
  };
  // Everything that a channel has of its own.
  struct Channel {
    float scale;
    std::optional<float> bias;
    std::optional<BatchNorm> batch_norm;
  };

  size_t CodeBytes() const { return shape_.wide ? 2 : 1; }
  uint16_t DrawCode(Random& random) const;
  void MakeActivations(Random& random);
  void MakePatches(Random& random);
  void MakeWeights(Random& random);
  void PackS4(const std::vector<int32_t>& q, const std::vector<uint32_t>& scale);
  void MakeChannels(Random& random);
  void ChooseOutput(Random& random);
  void FillEpilogue();
  void FillChannel(size_t c);
  void Expect();
  double Real(size_t i, size_t channel) const;
  ::testing::AssertionResult Compare(const std::string& name, const std::byte* out) const;

  MatmulShape shape_;
  int32_t offset_x_ = 0;
  float scale_x_ = 1;
  float epsilon_ = 1e-5f;
  std::vector<int32_t> x_, w_;  // q + o, and w_int
  std::vector<int64_t> acc_;
  std::vector<double> real_;  // before clips and rounding
  std::vector<Channel> channels_;
  double clip_min_ = -std::numeric_limits<double>::infinity(), clip_max_ = std::numeric_limits<double>::infinity();
  kernels::OutputType type_ = kernels::OutputType::kU8;
  Grid grid_;
  kernels::Patches patches_{};
  size_t a_stride_ = 0, out_stride_ = 0, cut_ = 0, exact_ties_ = 0;
  std::vector<std::byte> expected_;  // out_stride_ per row

  std::unique_ptr<GuardedBuffer<std::byte>> a_;
  std::unique_ptr<GuardedBuffer<std::byte>> packed_, scratch_;
  std::unique_ptr<GuardedBuffer<int32_t>> start_u8_, start_s8_;
  std::unique_ptr<GuardedBuffer<int64_t>> start_wide_;
  std::unique_ptr<GuardedBuffer<double>> start_u16_, start_s16_, real_mul_, real_add_;
  std::unique_ptr<GuardedBuffer<double>> scale_, bias_, bn_mean_, bn_gain_, bn_beta_;
  std::unique_ptr<GuardedBuffer<float>> fast_mul_, fast_add_;
  kernels::Epilogue epilogue_{};
};

// `cases` random shapes of each dimension 1..400, small ones as often as large ones; every variant is checked.
// kS4: blocks of 4, 8, 12 ... that divide k.
struct MatmulKind {
  MatmulWeights weights;
  bool wide = false;
};
using MatmulVariantSpan = std::span<const kernels::Variant<kernels::MatmulFn>>;
void CheckRandomShapes(MatmulKind kind, MatmulVariantSpan variants, size_t cases, uint64_t stream);
// Of the library's variants.
void CheckRandomShapes(MatmulKind kind, size_t cases, uint64_t stream);

// The variants of the kernel for these weights and codes.
MatmulVariantSpan MatmulVariants(MatmulKind kind);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_MATMUL_CASES_H_
