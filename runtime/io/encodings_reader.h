// AIMET encodings files (JSON) by simdjson: what the file says, entry by entry, before it meets a graph.
#ifndef LANEQUANT_RUNTIME_IO_ENCODINGS_READER_H_
#define LANEQUANT_RUNTIME_IO_ENCODINGS_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lanequant/status.h"

namespace lq {

enum class EncodingType { kPerTensor, kPerChannel, kPerBlock, kLpbq };

// One tensor's entry in the words of version 1.0.0, to which the other versions and QDQ graphs are brought. Scales are
// rounded to float32. Offsets are those of the unsigned grid 0..2^bitwidth - 1, whatever `is_symmetric` says.
struct EncodingEntry {
  std::string name;
  bool is_float = false;  // dtype FLOAT: only bitwidth is meaningful
  EncodingType type = EncodingType::kPerTensor;
  int bitwidth = 8;           // LPBQ: the decompressed one
  bool is_symmetric = false;  // codes are named on the signed grid
  std::vector<float> scale;   // per tensor 1, per channel and LPBQ one for each channel, per block one for each block
  std::vector<double> offset;
  int64_t block_size = 0;
  int compressed_bitwidth = 0;
  std::vector<uint32_t> per_block_int_scale;
  double zero_point_shift = 0;  // 1/2: codes stand for q + offset + 1/2

  // What versions 2.0.0 and 2.1.0 and QDQ graphs say and the others leave to whoever reads the tensor. Negative axes
  // count from the end. `block_shape`: of the block array, one dimension for each of the tensor's, row-major.
  std::optional<int64_t> channel_axis, block_axis;
  std::vector<int64_t> block_shape;
  bool of_codes = false;  // QDQ graphs: the constant of this name holds codes, not numbers

  friend bool operator==(const EncodingEntry&, const EncodingEntry&) = default;
};

struct EncodingsFile {
  std::string version;   // "1.0.0"
  std::string producer;  // producer.package, "" if the file names none
  std::vector<EncodingEntry> entries;
};

// The bits of the grid that holds codes of `bitwidth` bits times these integer block scales. Files and graphs that do not
// say it mean twice the bits, as AIMET's users choose them; larger scales need more.
int DecompressedBits(int bitwidth, const std::vector<uint32_t>& scales);

// Versions 0.6.1, 1.0.0, 2.0.0 and 2.1.0, as aimet_torch and aimet_onnx write them. Others are refused by name.
Result<EncodingsFile> ReadEncodings(const std::string& path);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ENCODINGS_READER_H_
