// Contract of the reduction that calibration and dynamic quantization begin with. kernels/contracts.h says what all
// kernels promise; kernels/reference/min_max.h says in scalar C++ what this one computes.
#ifndef LANEQUANT_KERNELS_CONTRACTS_MIN_MAX_H_
#define LANEQUANT_KERNELS_CONTRACTS_MIN_MAX_H_

#include <cstddef>
#include <span>

#include "kernels/contracts_quantize.h"
#include "kernels/variant.h"

namespace lq::kernels {

// Smallest and largest value of each group; element i belongs to group (i / run) % count. What min and max
// hold already takes part (+inf and -inf to begin with), so that calls add up, in any order. One NaN makes both of its
// group NaN. Zeros come out as +0; groups without an element stay as they are.
struct MinMaxArgs {
  const void* in;
  FloatType type;
  size_t n;
  size_t run, count;  // >= 1
  float *min, *max;   // [count]
};
using MinMaxFn = void (*)(const MinMaxArgs&);
std::span<const Variant<MinMaxFn>> MinMaxVariants();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_CONTRACTS_MIN_MAX_H_
