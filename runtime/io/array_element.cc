#include "runtime/io/array_element.h"

#include <cstring>

#include "kernels/reference/small_floats.h"

namespace lq {
namespace {

template <class T>
T Load(const NamedArray& array, size_t i) {
  T value;
  std::memcpy(&value, array.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

int64_t IntegerAt(const NamedArray& array, size_t i) {
  switch (array.dtype) {
    case DType::kU8:
      return Load<uint8_t>(array, i);
    case DType::kS8:
      return Load<int8_t>(array, i);
    case DType::kU16:
      return Load<uint16_t>(array, i);
    case DType::kS16:
      return Load<int16_t>(array, i);
    case DType::kS32:
      return Load<int32_t>(array, i);
    default:
      return Load<int64_t>(array, i);  // the one integer type of npz files that is left
  }
}

double NumberAt(const NamedArray& array, size_t i) {
  if (array.dtype == DType::kF32) return Load<float>(array, i);
  if (array.dtype == DType::kF64) return Load<double>(array, i);
  if (array.dtype == DType::kF16) return double{reference::FloatOf(reference::kF16, Load<uint16_t>(array, i))};
  return static_cast<double>(IntegerAt(array, i));
}

}  // namespace lq
