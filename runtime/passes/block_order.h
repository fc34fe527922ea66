// The order of block arrays in files of version 1.0.0, which do not say it.
#ifndef LANEQUANT_RUNTIME_PASSES_BLOCK_ORDER_H_
#define LANEQUANT_RUNTIME_PASSES_BLOCK_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// Brings the arrays of a PerBlock or Lpbq encoding from the file's order to [channel][block]. A weight whose channels
// come first, (N, K), has it already. Of (K, N) aimet-torch writes (K / block, N), aimet-onnx (N, K / block); for
// another producer the order is taken under which no weight overshoots the grid. Errors: neither or both do. Arrays of
// a wrong length are left as they are, for ValidateEncoding to refuse.
Status OrderBlocks(const std::string& name, const Constant& weight, const std::string& producer, Encoding& encoding);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_BLOCK_ORDER_H_
