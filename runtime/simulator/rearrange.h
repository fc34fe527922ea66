// Data movement that changes the order of elements, repeats or leaves out some (exact_simulator.md 1): kind, codes and
// values stay.
#ifndef LANEQUANT_RUNTIME_SIMULATOR_REARRANGE_H_
#define LANEQUANT_RUNTIME_SIMULATOR_REARRANGE_H_

#include <functional>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/simulator/tensor.h"

namespace lq::simulator {

using Position = std::vector<int64_t>;  // one index for each dimension

// Element p of the result is element source(p) of x.
Result<SimTensor> Rearrange(const std::string& name, const SimTensor& x, const Shape& out,
                            const std::function<Position(const Position&)>& source);

// The axis counted from the front. Error: there is none.
Result<size_t> CheckedAxis(const std::string& name, int64_t axis, size_t rank);

}  // namespace lq::simulator

#endif  // LANEQUANT_RUNTIME_SIMULATOR_REARRANGE_H_
