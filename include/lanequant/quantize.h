// Bulk quantizers.
#ifndef LANEQUANT_QUANTIZE_H_
#define LANEQUANT_QUANTIZE_H_

#include <string>

#include "lanequant/executor.h"
#include "lanequant/target.h"

namespace lq {

// How a bulk call runs; never what it computes.
struct BulkOptions {
  Executor* executor = nullptr;  // null: on the caller
  std::string max_isa = DefaultMaxIsa();
};

}  // namespace lq

#endif  // LANEQUANT_QUANTIZE_H_
