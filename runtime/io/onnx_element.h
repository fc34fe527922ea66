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
  kUint4 = 21,
  kInt4 = 22,
  kUint2 = 25,
  kInt2 = 26,
};

// Error: a type that is not listed above.
Result<OnnxType> CheckedOnnxType(const std::string& tensor, int64_t data_type);
// Bits of one element in raw data: 2, 4, 8, 16, 32 or 64.
size_t BitsOf(OnnxType type);
// Bytes of `elements` of them; the last one is filled up. False: more than 64 bits count.
bool BytesOf(OnnxType type, uint64_t elements, uint64_t& bytes);
// What a Constant has them as: kF32 or kS64.
DType WidenedType(OnnxType type);
// The type of its Integers: of less than 8 bits each gets a byte. Not for floats.
DType IntegerType(OnnxType type);
// The type of codes: u8, s8, u16, s16, s32, u4, s4, u2, s2, f16 or bf16; kS64 for all other types.
DType CodeType(OnnxType type);

// Little-endian raw data -> constant.f32 or constant.s64. `bytes` holds as many elements as constant.shape, packed
// types the first one in the low bits.
Status WidenRaw(const std::string& tensor, OnnxType type, std::string_view bytes, Constant& constant);
// The same for typed fields: int32_data, int64_data, uint64_data; of packed types each value holds a byte of raw data.
// Error: a value that its type does not hold.
Status WidenInts(const std::string& tensor, OnnxType type, std::span<const int64_t> values, Constant& constant);
Status WidenDoubles(const std::string& tensor, std::span<const double> values, Constant& constant);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ONNX_ELEMENT_H_
