#include "runtime/io/json_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lanequant/tensor.h"

namespace lq::json {
namespace {

constexpr size_t kMostReserved = size_t{1} << 22;  // numbers; a box that is none must not ask for more

// Depth-first, at most Shape::kMaxRank deep. The first list of each level says how long the others there must be.
Status Append(dom::element element, std::string_view key, size_t depth, Nested& out) {
  const auto ragged = [&] {
    return InvalidArgument(fmt::format("'{}' is no box: its lists differ in length or depth at level {}", key, depth));
  };
  dom::array array;
  if (element.get(array) != simdjson::SUCCESS) {
    double number = 0;
    if (element.get(number) != simdjson::SUCCESS) {
      return InvalidArgument(fmt::format("element {} of '{}' is not a number", out.values.size(), key));
    }
    if (depth != out.shape.size()) return ragged();
    out.values.push_back(number);
    return OkStatus();
  }
  if (depth == Shape::kMaxRank) {
    return Unsupported(fmt::format("'{}' is nested deeper than {} lists", key, Shape::kMaxRank));
  }
  const bool first = depth == out.shape.size() && out.values.empty();
  if (!first && depth >= out.shape.size()) return ragged();
  if (first) {
    out.shape.push_back(0);
    out.values.reserve(std::min(std::max<size_t>(out.values.capacity(), 1) * array.size(), kMostReserved));
  }
  int64_t length = 0;
  for (dom::element child : array) {
    LQ_RETURN_IF_ERROR(Append(child, key, depth + 1, out));
    ++length;
  }
  if (first) out.shape[depth] = length;
  return out.shape[depth] == length ? OkStatus() : ragged();
}

}  // namespace

simdjson::error_code Parse(std::string& text, size_t max_depth, dom::parser& parser, dom::element& element) {
  const size_t size = text.size();
  if (size > parser.capacity() || size == 0) {
    if (const simdjson::error_code error = parser.allocate(size, max_depth)) return error;
  }
  text.append(simdjson::SIMDJSON_PADDING, '\0');  // read, too
  return parser.parse(text.data(), size, false).get(element);
}

Result<dom::object> ParseObject(std::string& text, size_t max_depth, dom::parser& parser) {
  dom::element element;
  dom::object object;
  if (const auto error = Parse(text, max_depth, parser, element)) {
    return InvalidArgument(fmt::format("not JSON: {}", simdjson::error_message(error)));
  }
  if (element.get(object) != simdjson::SUCCESS) return InvalidArgument("not an object");
  return object;
}

Status ToInteger(double number, std::string_view what, double low, double high, int64_t& out) {
  if (!(number >= low && number <= high) || std::trunc(number) != number) {
    return InvalidArgument(fmt::format("{} is {}, not an integer in {:.0f}..{:.0f}", what, number, low, high));
  }
  out = static_cast<int64_t>(number);
  return OkStatus();
}

Status GetInteger(dom::object object, std::string_view key, double low, double high, int64_t& out) {
  double number = 0;
  LQ_RETURN_IF_ERROR(Require(object, key, number, "a number"));
  return ToInteger(number, fmt::format("'{}'", key), low, high, out);
}

Result<std::vector<double>> GetNumbers(dom::object object, std::string_view key) {
  dom::array array;
  std::vector<double> numbers;
  LQ_ASSIGN_OR_RETURN(const bool found, Get(object, key, array, "a list"));
  if (!found) return numbers;
  numbers.reserve(array.size());
  for (dom::element element : array) {
    double number = 0;
    if (element.get(number) != simdjson::SUCCESS) {
      return InvalidArgument(fmt::format("element {} of '{}' is not a number", numbers.size(), key));
    }
    numbers.push_back(number);
  }
  return numbers;
}

Status ToScales(const std::vector<double>& numbers, std::vector<uint32_t>& out) {
  out.resize(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double number = numbers[i];
    if (number >= 0 && number <= std::numeric_limits<uint32_t>::max() && std::trunc(number) == number) {
      out[i] = static_cast<uint32_t>(number);
      continue;
    }
    int64_t unused = 0;
    return ToInteger(number, fmt::format("integer scale {}", i), 0, std::numeric_limits<uint32_t>::max(), unused);
  }
  return OkStatus();
}

Result<Nested> ToNested(dom::element element, std::string_view key) {
  Nested nested;
  LQ_RETURN_IF_ERROR(Append(element, key, 0, nested));
  return nested;
}

}  // namespace lq::json
