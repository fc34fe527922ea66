// PackedWeights: the weights of a matmul layer as its kernels read them, and what is known of them.
#ifndef LANEQUANT_RUNTIME_PACKED_WEIGHTS_H_
#define LANEQUANT_RUNTIME_PACKED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "runtime/aligned_buffer.h"
#include "runtime/io/mapped_file.h"
#include "runtime/weights.h"

namespace lq {

enum class WeightFormat : uint32_t {
  kS8,       // PackS8 of packing.h
  kS4,       // PackS4
  kS16,      // PackS16
  kBlockS8,  // PackBlocks of packing_blocks.h: float scales
  kBlockS4,
  kBlockF32,  // floats themselves, of scale 1
};
// Bits of a code with float scales; 0 of integer formats.
constexpr int BlockBits(WeightFormat format) {
  if (format == WeightFormat::kBlockF32) return 32;
  if (format == WeightFormat::kBlockS8) return 8;
  return format == WeightFormat::kBlockS4 ? 4 : 0;
}
constexpr bool HasFloatScales(WeightFormat format) { return BlockBits(format) != 0; }

struct PackedWeights {
  WeightFormat format = WeightFormat::kS8;
  bool has_offsets = false;  // with float scales
  size_t n = 0, k = 0;       // n: channels of a group
  size_t block = 0;          // k per scale, where scales are packed too
  size_t groups = 1;         // of n channels each
  size_t group_bytes = 0;
  WeightSums sums;          // of integer formats
  std::string description;  // "4-bit LPBQ, block 64": what LayerInfo says of them
  std::span<const std::byte> bytes;
  // What the bytes lie in, one of the two.
  AlignedBuffer memory;
  std::shared_ptr<const MappedFile> file;

  const std::byte* Group(size_t group) const { return bytes.data() + group * group_bytes; }
};
using SharedWeights = std::shared_ptr<const PackedWeights>;

// Bytes of a group as the format has them; group_bytes is this, rounded up to whole cache lines.
size_t PackedGroupBytes(const PackedWeights& packed);
// group_bytes, bytes and memory for the other members. Not filled but for what follows each group.
Status AllocatePacked(const std::string& name, PackedWeights& packed);

// Chooses how weights are stored (4-bit LPBQ, int8, int16), so that no accumulator of codes of `input` can leave 32
// bits (int16: 64), quantizes and packs them in one pass; a pass before it looks at all of them where their encoding
// alone does not decide. `weights` holds all groups. Errors: as WeightCodes, float scales that vary inside a channel,
// weights that leave 16 bits.
Result<SharedWeights> PackWeights(const FloatWeights& weights, const Encoding& encoding, size_t groups,
                                  const PerTensor& input, const PrepareOptions& options);

// For floats times codes, any scales, or without an encoding times floats. Errors: as WeightCodes, codes of more than 8
// bits.
Result<SharedWeights> PackFloatScaleWeights(const FloatWeights& weights, const std::optional<Encoding>& encoding,
                                            size_t groups, const PrepareOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PACKED_WEIGHTS_H_
