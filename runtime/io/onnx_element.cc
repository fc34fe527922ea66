#include "runtime/io/onnx_element.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "runtime/half.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

template <class T>
T Load(std::string_view bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

// Elements of 2 or 4 bits; `get(i)` is byte i.
template <class GetByte>
void UnpackInts(OnnxType type, size_t count, GetByte get, Integers& out) {
  const size_t bits = BitsOf(type), per_byte = 8 / bits;
  const bool is_signed = type == OnnxType::kInt4 || type == OnnxType::kInt2;
  const int64_t range = int64_t{1} << bits;
  out = Integers(IntegerType(type), count);
  const std::span<std::byte> codes = out.bytes();
  for (size_t i = 0; i < count; ++i) {
    const int64_t code = static_cast<uint8_t>(get(i / per_byte)) >> i % per_byte * bits & (range - 1);
    codes[i] = static_cast<std::byte>(is_signed && code >= range / 2 ? code - range : code);
  }
}

template <class Widen>
void WidenHalves(std::string_view bytes, Widen widen, std::vector<float>& out) {
  out.resize(bytes.size() / sizeof(uint16_t));
  for (size_t i = 0; i < out.size(); ++i) out[i] = widen(Load<uint16_t>(bytes, i));
}

// The range of an integer type; of 16-bit floats, whose bits int32_data holds, that of uint16.
struct TypeRange {
  int64_t low, high;
};

TypeRange TypeRangeOf(OnnxType type) {
  switch (type) {
    case OnnxType::kBool:
      return {0, 1};
    case OnnxType::kUint8:
      return {0, UINT8_MAX};
    case OnnxType::kInt8:
      return {INT8_MIN, INT8_MAX};
    case OnnxType::kUint2:
    case OnnxType::kInt2:
    case OnnxType::kUint4:
    case OnnxType::kInt4:
      return {INT8_MIN, UINT8_MAX};  // a byte of several, by either sign
    case OnnxType::kInt16:
      return {INT16_MIN, INT16_MAX};
    case OnnxType::kInt32:
      return {INT32_MIN, INT32_MAX};
    case OnnxType::kUint32:
      return {0, UINT32_MAX};
    case OnnxType::kInt64:
      return {INT64_MIN, INT64_MAX};
    default:
      return {0, UINT16_MAX};
  }
}

}  // namespace

Result<OnnxType> CheckedOnnxType(const std::string& tensor, int64_t data_type) {
  const bool known = (data_type >= 1 && data_type <= 7) || (data_type >= 9 && data_type <= 12) || data_type == 16 ||
                     data_type == 21 || data_type == 22 || data_type == 25 || data_type == 26;
  if (known) return static_cast<OnnxType>(data_type);
  return Unsupported(
      fmt::format("tensor '{}': ONNX data type {}; supported: float (1), float16 (10), bfloat16 (16), "
                  "double (11), int2 to int64 (26, 22, 3, 5, 6, 7), uint2 to uint32 (25, 21, 2, 4, 12), bool (9)",
                  tensor, data_type));
}

size_t BitsOf(OnnxType type) {
  switch (type) {
    case OnnxType::kUint2:
    case OnnxType::kInt2:
      return 2;
    case OnnxType::kUint4:
    case OnnxType::kInt4:
      return 4;
    case OnnxType::kUint8:
    case OnnxType::kInt8:
    case OnnxType::kBool:
      return 8;
    case OnnxType::kUint16:
    case OnnxType::kInt16:
    case OnnxType::kFloat16:
    case OnnxType::kBfloat16:
      return 16;
    case OnnxType::kFloat:
    case OnnxType::kInt32:
    case OnnxType::kUint32:
      return 32;
    case OnnxType::kInt64:
    case OnnxType::kDouble:
      return 64;
  }
  return 8;
}

bool BytesOf(OnnxType type, uint64_t elements, uint64_t& bytes) {
  const uint64_t bits = BitsOf(type);
  if (bits >= 8) return !__builtin_mul_overflow(elements, bits / 8, &bytes);
  const uint64_t per_byte = 8 / bits;
  bytes = elements / per_byte + (elements % per_byte != 0);
  return true;
}

DType WidenedType(OnnxType type) {
  const bool real = type == OnnxType::kFloat || type == OnnxType::kFloat16 || type == OnnxType::kBfloat16 ||
                    type == OnnxType::kDouble;
  return real ? DType::kF32 : DType::kS64;
}

DType IntegerType(OnnxType type) {
  switch (type) {
    case OnnxType::kUint2:
    case OnnxType::kUint4:
    case OnnxType::kUint8:
      return DType::kU8;
    case OnnxType::kInt2:
    case OnnxType::kInt4:
    case OnnxType::kInt8:
      return DType::kS8;
    case OnnxType::kUint16:
      return DType::kU16;
    case OnnxType::kInt16:
      return DType::kS16;
    case OnnxType::kInt32:
      return DType::kS32;
    default:
      return DType::kS64;
  }
}

DType CodeType(OnnxType type) {
  switch (type) {
    case OnnxType::kUint2:
      return DType::kU2;
    case OnnxType::kInt2:
      return DType::kS2;
    case OnnxType::kUint4:
      return DType::kU4;
    case OnnxType::kInt4:
      return DType::kS4;
    case OnnxType::kUint8:
      return DType::kU8;
    case OnnxType::kInt8:
      return DType::kS8;
    case OnnxType::kUint16:
      return DType::kU16;
    case OnnxType::kInt16:
      return DType::kS16;
    case OnnxType::kInt32:
      return DType::kS32;
    case OnnxType::kFloat16:
      return DType::kF16;
    case OnnxType::kBfloat16:
      return DType::kBF16;
    default:
      return DType::kS64;
  }
}

Status WidenRaw(const std::string& tensor, OnnxType type, std::string_view bytes, Constant& constant) {
  switch (type) {
    case OnnxType::kFloat:
      constant.f32.resize(bytes.size() / sizeof(float));
      if (!bytes.empty()) std::memcpy(constant.f32.data(), bytes.data(), bytes.size());
      return OkStatus();
    case OnnxType::kFloat16:
      WidenHalves(bytes, WidenHalf, constant.f32);
      return OkStatus();
    case OnnxType::kBfloat16:
      WidenHalves(bytes, WidenBfloat, constant.f32);
      return OkStatus();
    case OnnxType::kDouble: {
      std::vector<double> values(bytes.size() / sizeof(double));
      if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
      return WidenDoubles(tensor, values, constant);
    }
    case OnnxType::kBool: {
      const std::vector<int64_t> values(bytes.begin(), bytes.end());
      return WidenInts(tensor, type, values, constant);  // checks that they are 0 or 1
    }
    case OnnxType::kUint32: {
      std::vector<int64_t> values;
      for (size_t i = 0; i < bytes.size() / sizeof(uint32_t); ++i) values.push_back(Load<uint32_t>(bytes, i));
      constant.s64 = values;
      return OkStatus();
    }
    case OnnxType::kUint2:
    case OnnxType::kInt2:
    case OnnxType::kUint4:
    case OnnxType::kInt4:
      UnpackInts(
          type, static_cast<size_t>(constant.shape.NumElements()), [&](size_t i) { return bytes[i]; }, constant.s64);
      return OkStatus();
    default:
      constant.s64 = Integers(IntegerType(type), bytes.size() / (BitsOf(type) / 8));
      if (!bytes.empty()) std::memcpy(constant.s64.bytes().data(), bytes.data(), bytes.size());
      return OkStatus();
  }
}

Status WidenInts(const std::string& tensor, OnnxType type, std::span<const int64_t> values, Constant& constant) {
  const TypeRange range = TypeRangeOf(type);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= range.low && values[i] <= range.high) continue;
    return InvalidArgument(
        fmt::format("tensor '{}': element {} is {}, outside {}..{}", tensor, i, values[i], range.low, range.high));
  }
  if (BitsOf(type) < 8) {
    UnpackInts(
        type, static_cast<size_t>(constant.shape.NumElements()), [&](size_t i) { return values[i]; }, constant.s64);
    return OkStatus();
  }
  if (WidenedType(type) == DType::kS64) {
    constant.s64.Assign(IntegerType(type), values);
    return OkStatus();
  }
  constant.f32.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = static_cast<uint16_t>(values[i]);
    constant.f32[i] = type == OnnxType::kFloat16 ? WidenHalf(bits) : WidenBfloat(bits);
  }
  return OkStatus();
}

Status WidenDoubles(const std::string& tensor, std::span<const double> values, Constant& constant) {
  constant.f32.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    constant.f32[i] = static_cast<float>(values[i]);
    if (static_cast<double>(constant.f32[i]) == values[i] || std::isnan(values[i])) continue;
    return Unsupported(fmt::format("tensor '{}': element {} is {:.17g}, a double that is no float32; supported: float",
                                   tensor, i, values[i]));
  }
  return OkStatus();
}

}  // namespace lq
