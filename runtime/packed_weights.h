// PackedWeights: the weights of a matmul layer as its kernels read them, and what is known of them.
#ifndef LANEQUANT_RUNTIME_PACKED_WEIGHTS_H_
#define LANEQUANT_RUNTIME_PACKED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/aligned_buffer.h"
#include "runtime/weights.h"

namespace lq {

enum class WeightFormat : uint32_t {
  kS8,   // PackS8 of packing.h
  kS4,   // PackS4
  kS16,  // PackS16
};

struct PackedWeights {
  WeightFormat format = WeightFormat::kS8;
  size_t n = 0, k = 0;  // n: channels of a group
  size_t block = 0;     // kS4: k per integer scale
  size_t groups = 1;    // of n channels each
  size_t group_bytes = 0;
  WeightSums sums;
  std::string description;  // "4-bit LPBQ, block 64": what LayerInfo says of them
  AlignedBuffer memory;

  const std::byte* Group(size_t group) const { return memory.data() + group * group_bytes; }
};

// Chooses how weights are stored (4-bit LPBQ, int8, int16), so that no accumulator of codes of `input` can leave 32
// bits (int16: 64), quantizes and packs them in one pass; a pass before it looks at all of them where their encoding
// alone does not decide. `weights` holds all groups. Errors: as WeightCodes, float scales that vary inside a channel,
// weights that leave 16 bits.
Result<PackedWeights> PackWeights(const FloatWeights& weights, const Encoding& encoding, size_t groups,
                                  const PerTensor& input, const PrepareOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PACKED_WEIGHTS_H_
