// SimTensor: a tensor of the exact simulator. Its kind decides how the next quantizer computes (exact_simulator.md 1).
#ifndef LANEQUANT_RUNTIME_SIMULATOR_TENSOR_H_
#define LANEQUANT_RUNTIME_SIMULATOR_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/tensor.h"
#include "runtime/observer.h"

namespace lq::simulator {

enum class Kind {
  kF32,    // graph inputs, float constants, results of float32 element-wise operators
  kCoded,  // w = q + offset on the grid of `encoding`
  kReal,   // binary64: result of a sum, or of anything with a real operand
};

// A value in code units before it was rounded, and how far from a tie a float32 simulator may be off.
struct Rounding {
  double t = 0, near_tie = 0;
};

struct SimTensor {
  Kind kind = Kind::kF32;
  Shape shape;  // all vectors that are filled have its number of elements
  std::vector<float> f32;
  std::vector<int32_t> w;
  PerTensor encoding;
  std::vector<double> real;

  // Recording only, real tensors behind a weighted layer: sum |x^ w^| + |b|, by which float32 sums may be off. Behind a
  // layer that sums floats |q| and |offset| of the weight count apart.
  std::vector<double> magnitude;
  // Recording only, coded tensors: how the codes came about. Data movement takes it along: behind it the codes are the
  // same, but all of them lie far from every tie. Empty where an observer wrote the codes.
  std::vector<Rounding> rounding;
  // Made by an exponential, a root or the like: float32 tools round those differently (section 8).
  bool of_function = false;
  // Result of a MatMul with integer weights: s_x * s_w of each column, for a bias that follows as an Add.
  std::vector<double> bias_scale;

  size_t size() const { return static_cast<size_t>(shape.NumElements()); }
  float F32(size_t i) const;    // x32; not for real tensors
  double Real(size_t i) const;  // x^
};

SimTensor MakeF32(const Shape& shape, std::vector<float> values);
SimTensor MakeReal(const Shape& shape, std::vector<double> values);
SimTensor MakeCoded(const Shape& shape, std::vector<int32_t> w, const PerTensor& encoding);

// x^ of all elements.
std::vector<double> Reals(const SimTensor& x);
// The magnitude where the tensor has one, else |x^|: never less than what a float32 simulator rounds relative to.
std::vector<double> Magnitudes(const SimTensor& x);

// The codes of `x` under `encoding` (exact_simulator.md 2), with t and near_tie (section 8) if `record`. Pools over
// coded tensors have no magnitude and fall under "all others": the cells of a window are few and of one sign or two, so
// their float32 sum stays within 2^-22 of t.
ObservedTensor Quantize(const SimTensor& x, const PerTensor& encoding, RoundingProfile profile, bool record);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_TENSOR_H_
