// ONNX TensorProto -> Constant.
#ifndef LANEQUANT_RUNTIME_IO_ONNX_TENSOR_H_
#define LANEQUANT_RUNTIME_IO_ONNX_TENSOR_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"
#include "runtime/io/external_data.h"
#include "runtime/io/file.h"

namespace lq {

struct OnnxTensor {
  std::string name;
  Constant constant;
};

// float, float16, bfloat16 (widened), double (if every value is a float32), int2..64, uint2..32, bool; raw, typed and
// external data. Errors name the tensor: other types, a shape whose size is not that of the data. `owner` names tensors
// that have no name of their own; `raw_data` is its raw data, where the message is one of an OnnxOutline.
Result<OnnxTensor> ReadTensor(const std::string& owner, std::string_view message, ExternalData& external,
                              const std::optional<FileRange>& raw_data = std::nullopt);

// Dimensions as files have them -> Shape. Errors: more than eight, below `lowest`, a product beyond 63 bits.
Result<Shape> CheckedShape(const std::string& owner, std::span<const int64_t> dims, int64_t lowest);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ONNX_TENSOR_H_
