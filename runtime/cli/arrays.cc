#include "runtime/cli/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/io/array_element.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

struct Location {
  std::string path, key;
};

// A colon may be part of a file's name: the whole is a path if there is such a file.
Location Split(const std::string& where) {
  std::error_code error;
  const size_t colon = where.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(where, error)) return {where, ""};
  return {where.substr(0, colon), where.substr(colon + 1)};
}

// The array of an .npy file has no name.
std::string Label(const NamedArray& array) {
  return array.name.empty() ? "one without a name" : fmt::format("'{}'", array.name);
}

std::string Names(const std::vector<NamedArray>& arrays) {
  std::string names;
  for (const NamedArray& array : arrays) names += (names.empty() ? "" : ", ") + Label(array);
  return names.empty() ? "none" : names;
}

Result<NamedArray> Take(const std::string& path, const std::string& name, std::vector<NamedArray>& arrays) {
  const auto found =
      std::find_if(arrays.begin(), arrays.end(), [&](const NamedArray& array) { return array.name == name; });
  if (found != arrays.end()) return std::move(*found);
  return NotFound(fmt::format("{}: no array '{}'; there are: {}", path, name, Names(arrays)));
}

Result<NamedArray> ToF32(const std::string& path, NamedArray array) {
  if (array.dtype == DType::kF32) return array;
  const size_t elements = static_cast<size_t>(array.shape.NumElements());
  NamedArray rounded{array.name, DType::kF32, array.shape, std::vector<std::byte>(elements * sizeof(float))};
  for (size_t i = 0; i < elements; ++i) {
    const double number = NumberAt(array, i);
    const auto narrow = static_cast<float>(number);
    if (!IsFloat(array.dtype) && static_cast<double>(narrow) != number) {  // token numbers, codes
      return InvalidArgument(
          fmt::format("{}: array {} holds the integer {}, but a network input is float32", path, Label(array), number));
    }
    std::memcpy(rounded.bytes.data() + i * sizeof(narrow), &narrow, sizeof(narrow));
  }
  return rounded;
}

// A dynamic dimension, -1, takes any size.
Status CheckShape(const std::string& path, const NamedArray& array, const Value& input) {
  if (!input.shape.has_value()) return OkStatus();
  bool fits = array.shape.rank() == input.shape->rank() && array.shape.rank() > 0;
  for (size_t d = 1; fits && d < array.shape.rank(); ++d) {
    fits = (*input.shape)[d] == -1 || (*input.shape)[d] == array.shape[d];
  }
  if (fits) return OkStatus();
  return InvalidArgument(fmt::format("{}: array {} has shape {}, but input '{}' has {}", path, Label(array),
                                     array.shape.ToString(), input.name, input.shape->ToString()));
}

}  // namespace

Result<NamedArray> ReadArray(const std::string& where) {
  const Location location = Split(where);
  LQ_ASSIGN_OR_RETURN(std::vector<NamedArray> arrays, ReadNpz(location.path));
  if (!location.key.empty()) return Take(location.path, location.key, arrays);
  if (arrays.size() == 1) return std::move(arrays[0]);
  return InvalidArgument(fmt::format("{}: {} arrays, name one as {}:key; there are: {}", location.path, arrays.size(),
                                     location.path, Names(arrays)));
}

Result<std::vector<NamedArray>> ArrangeInputs(const std::string& where, std::vector<NamedArray> arrays,
                                              const Graph& graph) {
  const bool only_one = graph.inputs.size() == 1 && arrays.size() == 1;
  std::vector<NamedArray> inputs;
  for (ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    NamedArray array;
    if (only_one) {
      array = std::move(arrays[0]);
    } else {
      LQ_ASSIGN_OR_RETURN(array, Take(where, value.name, arrays));
    }
    LQ_RETURN_IF_ERROR(CheckShape(where, array, value));
    LQ_ASSIGN_OR_RETURN(array, ToF32(where, std::move(array)));
    inputs.push_back(std::move(array));
  }
  return inputs;
}

Result<std::vector<NamedArray>> ReadInputs(const std::string& where, const Graph& graph) {
  const Location location = Split(where);
  std::vector<NamedArray> arrays;
  if (location.key.empty()) {
    LQ_ASSIGN_OR_RETURN(arrays, ReadNpz(location.path));
  } else {
    LQ_ASSIGN_OR_RETURN(NamedArray array, ReadArray(where));
    arrays.push_back(std::move(array));
  }
  return ArrangeInputs(location.path, std::move(arrays), graph);
}

Result<int64_t> CountRows(const std::vector<NamedArray>& inputs) {
  int64_t rows = 0;
  for (const NamedArray& input : inputs) {
    if (input.shape.rank() == 0) return InvalidArgument(fmt::format("input '{}' is a scalar: no rows", input.name));
    if (rows == 0) rows = input.shape[0];
    if (input.shape[0] == rows) continue;
    return InvalidArgument(
        fmt::format("input '{}' has {} rows, but input '{}' has {}", input.name, input.shape[0], inputs[0].name, rows));
  }
  return rows;
}

void AppendRows(std::span<const float> values, const Shape& shape, NamedArray& array) {
  const std::span<const std::byte> bytes = std::as_bytes(values);
  array.bytes.insert(array.bytes.end(), bytes.begin(), bytes.end());
  const int64_t rows = array.shape.rank() > 0 ? array.shape[0] : 0;
  array.shape = shape;
  if (shape.rank() > 0) array.shape[0] += rows;
}

std::vector<ConstTensorView> ViewsOf(const std::vector<NamedArray>& arrays) {
  std::vector<ConstTensorView> views;
  for (const NamedArray& array : arrays) views.push_back(array.view());
  return views;
}

}  // namespace lq::cli
