#include "tests/support/random_affine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/tensor_codec.h"

namespace lq::testing {
namespace {

// A grid of the type: all of it, or from anywhere to anywhere in it.
void DrawGrid(AffineProblem& problem, Random& random) {
  int64_t lowest = LowestCode(problem.codes), highest = HighestCode(problem.codes);
  if (problem.codes == DType::kS32) {
    lowest = -(int64_t{1} << random.Int(15, 31));
    highest = -lowest - 1;
  }
  problem.qmin = lowest, problem.qmax = highest;
  if (random.Chance(0.6)) return;
  problem.qmin = random.Int(lowest, highest - 1);
  problem.qmax = random.Int(problem.qmin + 1, highest);
}

// 1 to 6 dimensions, each a number of blocks times a block; leading ones may have no scale of their own.
void DrawShape(AffineProblem& problem, size_t elements, Random& random) {
  const size_t rank = random.Size(1, 6), leading = random.Chance(0.3) ? random.Size(0, rank) : 0;
  const bool blocks = random.Chance(0.6), one_axis = random.Chance(0.5);
  const size_t axis = random.Size(0, rank - 1);
  std::vector<int64_t> dims, scales;
  int64_t left = static_cast<int64_t>(elements);
  for (size_t d = 0; d < rank; ++d) {
    const bool has_scales = d >= leading && (!one_axis || d == axis);
    int64_t count = has_scales ? static_cast<int64_t>(random.LogSize(1, 40)) : 1;
    int64_t block = static_cast<int64_t>(random.LogSize(1, 80));
    if (!blocks && has_scales && random.Chance(0.7)) block = 1;
    count = std::clamp<int64_t>(count, 1, left);
    block = std::clamp<int64_t>(block, 1, left / count);
    if (!blocks && block > 1) count = 1;
    left /= count * block;
    dims.push_back(count * block);
    if (d >= leading) scales.push_back(count);
    if (d >= leading && blocks) problem.block_size.push_back(random.Chance(0.3) ? -1 : block);
  }
  problem.shape = Shape(dims);
  problem.scale_shape = Shape(scales);
}

float DrawScale(const AffineProblem& problem, Random& random) {
  float scale =
      random.Chance(0.3) ? std::ldexp(1.0f, static_cast<int>(random.Int(-10, 3))) : std::exp(random.Float(-8, 2));
  if (random.Chance(0.02)) scale = std::ldexp(random.Float(1, 2), static_cast<int>(random.Int(-149, 127)));
  const float narrow = RoundToType(problem.real, RoundToType(problem.scale_type, scale));
  if (narrow == 0.0f || std::isinf(narrow)) scale = 0.01f;
  return problem.profile == RoundingProfile::kOnnx && random.Chance(0.05) ? -scale : scale;
}

}  // namespace

void DrawScales(AffineProblem& problem, Random& random) {
  const size_t count = static_cast<size_t>(problem.scale_shape.NumElements());
  problem.scale.resize(count);
  for (float& scale : problem.scale) scale = DrawScale(problem, random);
  const int64_t steps = problem.qmax - problem.qmin, largest = std::max(std::abs(problem.qmin), std::abs(problem.qmax));
  if (steps >= 1 << 23 || random.Chance(0.3)) return;          // wider grids have offsets in binary64 only
  if (problem.real == DType::kF16 && largest > 65504) return;  // infinite in float16
  problem.float_offsets = largest < 1 << 23 && random.Chance(0.3);
  const int64_t reach = random.Chance(0.2) ? std::min<int64_t>(steps, 1000) : 0;
  problem.offset.resize(count);
  for (int32_t& offset : problem.offset) {
    const int64_t drawn = random.Int(-problem.qmax - reach, -problem.qmin + reach);
    offset = static_cast<int32_t>(problem.real == DType::kF16 ? std::clamp<int64_t>(drawn, -65504, 65504) : drawn);
  }
}

AffineProblem RandomAffineProblem(DType real, DType codes, RoundingProfile profile, size_t elements, Random& random) {
  AffineProblem problem;
  problem.real = real;
  problem.codes = codes;
  problem.profile = profile;
  const bool onnx = profile == RoundingProfile::kOnnx;
  constexpr DType kScaleTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
  if (random.Chance(0.4)) problem.scale_type = onnx ? real : kScaleTypes[random.Size(0, 2)];
  if (!onnx && random.Chance(0.3)) problem.shift = 0.5f;
  DrawGrid(problem, random);
  DrawShape(problem, elements, random);
  DrawScales(problem, random);
  return problem;
}

std::vector<float> RandomReals(const AffineProblem& problem, Random& random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kSpecial[] = {
      0.0f,          -0.0f,          1e-45f, -1e-45f, 1e-39f,    1e30f,      -1e30f,
      3.4028235e38f, -3.4028235e38f, 1.0f,   -1.0f,   kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> values(problem.elements());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t k = problem.ScaleOf(i);
    const double origin = double{problem.shift} + (problem.offset.empty() ? 0 : problem.offset[k]);
    const double unit = static_cast<double>(random.Int(problem.qmin - 3, problem.qmax + 3)) + origin;
    const double half = random.Chance(0.5) ? 0.5 : random.Real(-0.5, 0.5);
    float value = static_cast<float>((unit + half) * problem.scale[k]);
    if (random.Chance(0.3)) value = std::nextafter(value, random.Chance(0.5) ? kInfinity : -kInfinity);
    values[i] = RoundToType(problem.real, random.Chance(0.02) ? kSpecial[random.Size(0, 13)] : value);
  }
  return values;
}

std::vector<int64_t> RandomCodes(const AffineProblem& problem, Random& random) {
  std::vector<int64_t> codes(problem.elements());
  for (int64_t& code : codes) code = random.Int(problem.qmin, problem.qmax);
  return codes;
}

}  // namespace lq::testing
