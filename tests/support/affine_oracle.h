// What a bulk affine quantizer must give, by the scalar reference and coordinates written out: no code of the
// runtime's.
#ifndef LANEQUANT_TESTS_SUPPORT_AFFINE_ORACLE_H_
#define LANEQUANT_TESTS_SUPPORT_AFFINE_ORACLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/reference/affine.h"
#include "lanequant/quantize.h"
#include "lanequant/tensor.h"

namespace lq::testing {

struct AffineProblem {
  DType real = DType::kF32;  // of the float tensors
  DType codes = DType::kU8;  // of the code tensors
  DType scale_type = DType::kF32;
  bool float_offsets = false;
  Shape shape, scale_shape;
  std::vector<int64_t> block_size;
  std::vector<float> scale;
  std::vector<int32_t> offset;  // empty: 0
  int64_t qmin = 0, qmax = 255;
  float shift = 0.0f;
  RoundingProfile profile = RoundingProfile::kAimetDiv;

  size_t elements() const { return static_cast<size_t>(shape.NumElements()); }
  // The scale of element i.
  size_t ScaleOf(size_t i) const;
  // The element belongs to torch.fake_quantize per channel and its quotient is beyond int64, infinity included: there
  // the tool's code is whatever the CPU's conversion gives (x86: qmin). lanequant saturates.
  bool DependsOnTheCpu(size_t i, float x) const;
  std::string ToString() const;
};

// Values are numbers of problem.real.
std::vector<int64_t> ExpectedCodes(const AffineProblem& problem, std::span<const float> in);
std::vector<float> ExpectedReals(const AffineProblem& problem, std::span<const int64_t> codes);
std::vector<float> ExpectedQuantizeDequantize(const AffineProblem& problem, std::span<const float> in);

// The same by the library. Tensors lie between guard pages, `misalignment` bytes off their alignment. Failures are
// gtest failures and empty vectors.
struct AffineRun {
  BulkOptions options;
  size_t misalignment = 0;
};
std::vector<int64_t> RunQuantize(const AffineProblem& problem, std::span<const float> in, const AffineRun& run);
std::vector<float> RunDequantize(const AffineProblem& problem, std::span<const int64_t> codes, const AffineRun& run);
std::vector<float> RunQuantizeDequantize(const AffineProblem& problem, std::span<const float> in, const AffineRun& run);

// Index of the first element whose bits differ (NaN equals NaN), or -1; any difference in size is at 0.
int64_t FirstDifference(std::span<const float> a, std::span<const float> b);
int64_t FirstDifference(std::span<const int64_t> a, std::span<const int64_t> b);

// Names of the compiled targets that this CPU has.
std::vector<std::string> RunnableTargets();

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_AFFINE_ORACLE_H_
