#include "tests/fuzz/arguments.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lq::fuzz {
namespace {

constexpr size_t kMostBytes = 1 << 16;

}  // namespace

bool Array::IsFilledWith(unsigned char byte) const {
  return std::all_of(memory.get(), memory.get() + tensor.bytes, [byte](unsigned char b) { return b == byte; });
}

int32_t Arguments::Enum(int32_t low, int32_t high) {
  return OneIn(32) ? data_.ConsumeIntegral<int32_t>() : static_cast<int32_t>(Int(low, high));
}

float Arguments::Float() {
  const auto bits = data_.ConsumeIntegral<uint32_t>();
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

Dims Arguments::Shape() {
  Dims shape(static_cast<size_t>(Int(0, OneIn(32) ? 8 : 4)));
  for (int64_t& dim : shape) dim = OneIn(64) ? data_.ConsumeIntegral<int64_t>() : Int(OneIn(16) ? 0 : 1, 12);
  if (!shape.empty() && OneIn(2)) shape.back() = Int(1, 300);
  return shape;
}

Dims Arguments::Divisor(const Dims& shape) {
  Dims scale;
  for (int64_t dim : shape) {
    int64_t part = OneIn(3) ? 1 : OneIn(2) ? dim : Int(1, 6);
    if (part <= 0 || dim % part != 0) part = OneIn(8) ? part : 1;
    scale.push_back(part);
  }
  const auto dropped = static_cast<ptrdiff_t>(Int(0, static_cast<int64_t>(scale.size())));
  if (OneIn(3)) scale.erase(scale.begin(), scale.begin() + dropped);
  return scale;
}

Dims Arguments::Blocks(const Dims& shape, const Dims& scale) {
  Dims blocks;
  if (OneIn(3)) return blocks;  // broadcasts
  for (size_t i = 0; i < scale.size(); ++i) {
    const int64_t dim = shape[shape.size() - scale.size() + i];
    blocks.push_back(OneIn(4) ? -1 : OneIn(64) ? data_.ConsumeIntegral<int64_t>() : scale[i] != 0 ? dim / scale[i] : 1);
  }
  if (OneIn(64)) blocks.push_back(1);
  return blocks;
}

Array Arguments::Make(const Dims& shape, std::initializer_list<lq_dtype> dtypes) {
  Array array;
  const auto which = static_cast<size_t>(Int(0, static_cast<int64_t>(dtypes.size()) - 1));
  array.tensor.dtype = OneIn(64) ? Enum(LQ_F32, LQ_U6) : *(dtypes.begin() + which);
  array.tensor.rank = OneIn(128) ? Enum(0, 8) : static_cast<int32_t>(shape.size());
  std::copy_n(shape.begin(), std::min<size_t>(shape.size(), LQ_MAX_RANK), array.tensor.dims);
  size_t bytes = lq_tensor_bytes(array.tensor.dtype, array.tensor.rank, array.tensor.dims);
  if (bytes > kMostBytes || OneIn(64)) bytes = static_cast<size_t>(Int(0, 64));
  array.tensor.bytes = bytes;
  array.memory.reset(new unsigned char[bytes]);
  array.tensor.data = bytes != 0 || OneIn(2) ? array.memory.get() : nullptr;
  return array;
}

Array Arguments::Input(const Dims& shape, std::initializer_list<lq_dtype> dtypes) {
  Array array = Make(shape, dtypes);
  const auto pattern = data_.ConsumeBytes<uint8_t>(static_cast<size_t>(Int(1, 64)));
  for (size_t i = 0; i < array.tensor.bytes; ++i) array.memory[i] = pattern.empty() ? 0 : pattern[i % pattern.size()];
  return array;
}

Array Arguments::Output(const Dims& shape, std::initializer_list<lq_dtype> dtypes, unsigned char fill) {
  Array array = Make(shape, dtypes);
  std::fill_n(array.memory.get(), array.tensor.bytes, fill);
  return array;
}

Array Arguments::Scales(const Dims& shape, std::initializer_list<lq_dtype> dtypes) {
  if (OneIn(16)) return Input(shape, dtypes);
  Array array = Make(shape, dtypes);
  const float first = std::abs(Float()), second = std::ldexp(1.0f, static_cast<int>(Int(-40, 40)));
  for (size_t i = 0; i + 1 < array.tensor.bytes; i += 2) {
    uint32_t bits;
    const float value = i % 8 == 0 && OneIn(16) ? first : second;
    std::memcpy(&bits, &value, sizeof(bits));
    // The halves of a float32, or the one half of a bfloat16 (also a float16 that is often positive).
    const bool low = array.tensor.dtype == LQ_F32 && i % 4 == 0;
    const auto half = static_cast<uint16_t>(low ? bits : bits >> 16);
    std::memcpy(array.memory.get() + i, &half, sizeof(half));
  }
  if (array.tensor.dtype == LQ_F64) {
    for (size_t i = 0; i + 8 <= array.tensor.bytes; i += 8) {
      const double value = second;
      std::memcpy(array.memory.get() + i, &value, sizeof(value));
    }
  }
  return array;
}

}  // namespace lq::fuzz
