// An ONNX file's messages without the data of its initializers. The data stays in the file until it is read to where it
// is wanted, so that a gigabyte of weights is in memory once.
#ifndef LANEQUANT_RUNTIME_IO_ONNX_OUTLINE_H_
#define LANEQUANT_RUNTIME_IO_ONNX_OUTLINE_H_

#include <optional>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/io/file.h"

namespace lq {

struct OnnxOutline {
  std::string message;                             // ModelProto, its graph's initializers without raw_data
  std::vector<std::optional<FileRange>> raw_data;  // of these initializers, in their order
};

// Malformed messages are copied as they are, for their readers to refuse. Errors: the file cannot be read.
Result<OnnxOutline> ReadOnnxOutline(const File& file);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ONNX_OUTLINE_H_
