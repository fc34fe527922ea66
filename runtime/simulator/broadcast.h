// Broadcasting as ONNX defines it (that of NumPy): shapes are aligned at their last dimension, and a 1 repeats.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_BROADCAST_H_
#define LANEQUANT_RUNTIME_SIMULATOR_BROADCAST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq::simulator {

// Error: dimensions that differ and are not 1.
Result<Shape> BroadcastShape(const std::string& name, const Shape& a, const Shape& b);

// For each element of `out`, row-major, the index of the element of `in` that stands there.
std::vector<size_t> BroadcastIndices(const Shape& in, const Shape& out);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_BROADCAST_H_
