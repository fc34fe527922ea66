// AIMET encodings files (JSON) by simdjson: what the file says, entry by entry, before it meets a graph.
#ifndef LANEQUANT_RUNTIME_IO_ENCODINGS_READER_H_
#define LANEQUANT_RUNTIME_IO_ENCODINGS_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/status.h"

namespace lq {

enum class EncodingType { kPerTensor, kPerChannel, kPerBlock, kLpbq };

// Numbers as in the file (scales rounded to float32), offsets still on the unsigned grid of versions 0.6.1 and 1.0.0.
struct EncodingEntry {
  std::string name;
  bool is_float = false;  // dtype FLOAT: only bitwidth is meaningful
  EncodingType type = EncodingType::kPerTensor;
  int bitwidth = 8;  // LPBQ: the decompressed one
  bool is_symmetric = false;
  std::vector<float> scale;
  std::vector<double> offset;
  int64_t block_size = 0;
  int compressed_bitwidth = 0;
  std::vector<uint32_t> per_block_int_scale;
  double zero_point_shift = 0;
};

struct EncodingsFile {
  std::string version;   // "1.0.0"
  std::string producer;  // producer.package, "" if the file names none
  std::vector<EncodingEntry> activations, params;
};

// Version 1.0.0. Other versions are refused by name.
Result<EncodingsFile> ReadEncodings(const std::string& path);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ENCODINGS_READER_H_
