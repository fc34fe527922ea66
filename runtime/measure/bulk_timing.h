// BulkTiming: how long the quantizers of quantize.h take on a large tensor, beside a stream that moves the same bytes.
#ifndef LANEQUANT_RUNTIME_MEASURE_BULK_TIMING_H_
#define LANEQUANT_RUNTIME_MEASURE_BULK_TIMING_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/status.h"

namespace lq::measure {

struct BulkTiming {
  std::string name;           // "quantize f32 -> s8, block 64"
  double seconds = 0;         // of the fastest pass
  double stream_seconds = 0;  // of the fastest stream, measured in turns with it
  double bytes = 0;           // read and written

  double ShareOfStream() const { return stream_seconds / seconds; }
};

constexpr size_t kBulkRows = size_t{1} << 14;  // of 4096 elements: 64 Mi in all, which no cache holds

struct BulkTimingOptions {
  Executor& executor;
  std::string max_isa;
  size_t rows = kBulkRows;
  std::function<void(double share)> progress;
};

// Errors: those of the quantizers, too little memory.
Result<std::vector<BulkTiming>> TimeQuantizers(const BulkTimingOptions& options);

}  // namespace lq::measure

#endif  // LANEQUANT_RUNTIME_MEASURE_BULK_TIMING_H_
