#include "runtime/cli/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace lq::cli {
namespace {

template <class T>
T Load(const NamedArray& array, size_t i) {
  T value;
  std::memcpy(&value, array.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::optional<int64_t> LoadInteger(const NamedArray& array, size_t i) {
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
    case DType::kS64:
      return Load<int64_t>(array, i);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string Accuracy::ToString() const {
  return fmt::format("{} of {} right ({:.2f} %)", right, rows,
                     100.0 * static_cast<double>(right) / static_cast<double>(rows));
}

Result<Accuracy> CountRight(const std::vector<NamedArray>& outputs, const NamedArray& labels) {
  if (outputs.empty()) return InvalidArgument(fmt::format("labels '{}': the network has no output", labels.name));
  const NamedArray& output = outputs[0];
  const int64_t rows = output.shape.rank() > 0 ? output.shape[0] : 0;
  if (rows < 1 || labels.shape.NumElements() != rows) {
    return InvalidArgument(fmt::format("labels '{}' have shape {}, but output '{}' has {}", labels.name,
                                       labels.shape.ToString(), output.name, output.shape.ToString()));
  }
  const auto classes = static_cast<size_t>(output.shape.NumElements() / rows);
  if (classes == 0) return InvalidArgument(fmt::format("output '{}' has no classes", output.name));
  Accuracy accuracy{0, rows};
  std::vector<float> row(classes);
  for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
    std::memcpy(row.data(), output.bytes.data() + i * classes * sizeof(float), classes * sizeof(float));
    const std::optional<int64_t> label = LoadInteger(labels, i);
    if (!label.has_value()) {
      return InvalidArgument(fmt::format("labels '{}' are {}, not integers", labels.name, NameOf(labels.dtype)));
    }
    if (std::max_element(row.begin(), row.end()) - row.begin() == *label) ++accuracy.right;
  }
  return accuracy;
}

}  // namespace lq::cli
