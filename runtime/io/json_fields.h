// Members of JSON objects by simdjson: typed, with a sentence where the file has something else.
#ifndef LANEQUANT_RUNTIME_IO_JSON_FIELDS_H_
#define LANEQUANT_RUNTIME_IO_JSON_FIELDS_H_

#include <fmt/format.h>
#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/status.h"
#include "runtime/status_macros.h"

namespace lq::json {

namespace dom = simdjson::dom;

// What `text` is, at most `max_depth` lists and objects deep; it lives as long as the parser. The text gets zeros
// behind it.
simdjson::error_code Parse(std::string& text, size_t max_depth, dom::parser& parser, dom::element& element);
// The same of an object. Errors: no JSON, no object.
Result<dom::object> ParseObject(std::string& text, size_t max_depth, dom::parser& parser);

// An optional member of an object: false if it is missing or null. A member of another type is an error.
template <class T>
Result<bool> Get(dom::object object, std::string_view key, T& out, const char* type) {
  dom::element element;
  if (object.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) return false;
  if (element.get(out) == simdjson::SUCCESS) return true;
  return InvalidArgument(fmt::format("'{}' is not {}", key, type));
}

template <class T>
Status Require(dom::object object, std::string_view key, T& out, const char* type) {
  LQ_ASSIGN_OR_RETURN(const bool found, Get(object, key, out, type));
  return found ? OkStatus() : InvalidArgument(fmt::format("'{}' is missing", key));
}

// Integers may be written as 8 or 8.0 (aimet_onnx). `what` names the number in the message.
Status ToInteger(double number, std::string_view what, double low, double high, int64_t& out);

Status GetInteger(dom::object object, std::string_view key, double low, double high, int64_t& out);

// A flat list of numbers; absent: empty.
Result<std::vector<double>> GetNumbers(dom::object object, std::string_view key);

// Integer scales of blocks. Error: the first one that is no integer of 32 bits.
Status ToScales(const std::vector<double>& numbers, std::vector<uint32_t>& out);

// A number, or lists in lists that form a box: `shape` is empty for a number.
struct Nested {
  std::vector<int64_t> shape;
  std::vector<double> values;  // row-major
};

// Errors: something else than numbers, lists of unequal length, more than eight levels.
Result<Nested> ToNested(dom::element element, std::string_view key);

}  // namespace lq::json

#endif  // LANEQUANT_RUNTIME_IO_JSON_FIELDS_H_
