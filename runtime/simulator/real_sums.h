// The float path of weighted layers (exact_simulator.md 4): sums in binary64, for operands without integers.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_REAL_SUMS_H_
#define LANEQUANT_RUNTIME_SIMULATOR_REAL_SUMS_H_

#include <cstddef>
#include <span>

#include "kernels/reference/reference.h"

namespace lq::simulator {

// As reference::ConvAcc and reference::MatmulAcc.
void ConvReal(const reference::ConvGeometry& g, std::span<const double> x, std::span<const double> w,
              std::span<double> y);
void MatmulReal(std::span<const double> x, std::span<const double> w, size_t m, size_t n, size_t k,
                std::span<double> y);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_REAL_SUMS_H_
