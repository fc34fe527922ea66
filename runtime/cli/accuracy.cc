#include "runtime/cli/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/io/array_element.h"

namespace lq::cli {

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
  if (IsFloat(labels.dtype)) {
    return InvalidArgument(fmt::format("labels '{}' are {}, not integers", labels.name, NameOf(labels.dtype)));
  }
  if (classes == 0) return InvalidArgument(fmt::format("output '{}' has no classes", output.name));
  Accuracy accuracy{0, rows};
  std::vector<float> row(classes);
  for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
    std::memcpy(row.data(), output.bytes.data() + i * classes * sizeof(float), classes * sizeof(float));
    if (std::max_element(row.begin(), row.end()) - row.begin() == IntegerAt(labels, i)) ++accuracy.right;
  }
  return accuracy;
}

}  // namespace lq::cli
