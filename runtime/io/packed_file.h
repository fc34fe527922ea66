// Files of packed weights. Little endian, everything at multiples of 64 bytes:
//   file    "lqweight", u32 version, u32 layers, u64 bytes of the file
//   layer   PackedRecord, the packed bytes; integer formats: s64 sums, f64 scales, one of each for each channel
#ifndef LANEQUANT_RUNTIME_IO_PACKED_FILE_H_
#define LANEQUANT_RUNTIME_IO_PACKED_FILE_H_

#include <cstdint>
#include <map>
#include <string>

#include "lanequant/status.h"
#include "runtime/packed_weights.h"

namespace lq {

using WeightsByKey = std::map<uint64_t, SharedWeights>;

// The packed bytes stay in the mapped file. Errors name it, the layer's number and what does not fit.
Result<WeightsByKey> MapPackedFile(const std::string& path);
// To a temporary beside `path`, which then takes its name.
Status WritePackedFile(const std::string& path, const WeightsByKey& weights);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_PACKED_FILE_H_
