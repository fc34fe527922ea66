#include "runtime/integers.h"

namespace lq {

void Integers::Set(size_t i, int64_t value) {
  switch (type_) {  // the low bytes come first
    case DType::kU8:
    case DType::kS8:
      bytes_[i] = static_cast<std::byte>(value);
      return;
    case DType::kU16:
    case DType::kS16:
      std::memcpy(bytes_.data() + 2 * i, &value, 2);
      return;
    case DType::kS32:
      std::memcpy(bytes_.data() + 4 * i, &value, 4);
      return;
    default:
      std::memcpy(bytes_.data() + 8 * i, &value, 8);
  }
}

void Integers::Assign(DType type, std::span<const int64_t> values) {
  *this = Integers(type, values.size());
  for (size_t i = 0; i < values.size(); ++i) Set(i, values[i]);
}

}  // namespace lq
