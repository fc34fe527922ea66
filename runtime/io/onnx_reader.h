// ONNX files by protozero. Trusts no byte: wire types, sizes, counts and offsets are checked; external data is confined
// to the model's folder.
#ifndef LANEQUANT_RUNTIME_IO_ONNX_READER_H_
#define LANEQUANT_RUNTIME_IO_ONNX_READER_H_

#include <string>

#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// Nodes as the file has them (initializers and Constant nodes not yet folded together, order not checked).
Result<Graph> ReadOnnx(const std::string& path);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ONNX_READER_H_
