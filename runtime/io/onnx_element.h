// Elements of ONNX constants: their types, and the widening of their bytes to float32 or int64.
#ifndef LANEQUANT_RUNTIME_IO_ONNX_ELEMENT_H_
#define LANEQUANT_RUNTIME_IO_ONNX_ELEMENT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// TensorProto.DataType, those that constants may have.
enum class OnnxType : int64_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kBfloat16 = 16,
};

// Error: a type that is not listed above.
Result<OnnxType> CheckedOnnxType(const std::string& tensor, int64_t data_type);
// Bytes of one element in raw data.
size_t SizeOf(OnnxType type);
// What it is widened to: kF32 or kS64.
DType WidenedType(OnnxType type);

// Little-endian raw data -> constant.f32 or constant.s64. `bytes` holds a whole number of elements.
Status WidenRaw(const std::string& tensor, OnnxType type, std::string_view bytes, Constant& constant);
// The same for typed fields: int32_data, int64_data, uint64_data. Error: a value that its type does not hold.
Status WidenInts(const std::string& tensor, OnnxType type, std::span<const int64_t> values, Constant& constant);
Status WidenDoubles(const std::string& tensor, std::span<const double> values, Constant& constant);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ONNX_ELEMENT_H_
