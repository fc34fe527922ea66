#include "runtime/io/encodings_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "runtime/io/file.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

namespace dom = simdjson::dom;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr size_t kMaxDepth = 64;  // AIMET nests 5 deep
constexpr size_t kMaxNameBytes = 4096;
constexpr int kMaxBitwidth = 32;

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

// Integers may be written as 8 or 8.0 (aimet_onnx).
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

// A flat list of numbers; absent: empty.
Result<std::vector<double>> GetNumbers(dom::object object, std::string_view key) {
  dom::array array;
  std::vector<double> numbers;
  LQ_ASSIGN_OR_RETURN(const bool found, Get(object, key, array, "a list"));
  if (!found) return numbers;
  for (dom::element element : array) {
    double number = 0;
    if (element.get(number) != simdjson::SUCCESS) {
      return InvalidArgument(fmt::format("element {} of '{}' is not a number", numbers.size(), key));
    }
    numbers.push_back(number);
  }
  return numbers;
}

Result<EncodingType> ReadType(dom::object object) {
  std::string_view type;
  LQ_RETURN_IF_ERROR(Require(object, "enc_type", type, "a string"));
  if (type == "PER_TENSOR") return EncodingType::kPerTensor;
  if (type == "PER_CHANNEL") return EncodingType::kPerChannel;
  if (type == "PER_BLOCK") return EncodingType::kPerBlock;
  if (type == "LPBQ") return EncodingType::kLpbq;
  return Unsupported(
      fmt::format("enc_type '{}'; supported: PER_TENSOR, PER_CHANNEL, PER_BLOCK, LPBQ", type.substr(0, 64)));
}

Status ReadScales(dom::object object, EncodingEntry& entry) {
  LQ_ASSIGN_OR_RETURN(const std::vector<double> scales, GetNumbers(object, "scale"));
  for (double scale : scales) entry.scale.push_back(static_cast<float>(scale));
  LQ_ASSIGN_OR_RETURN(entry.offset, GetNumbers(object, "offset"));
  if (entry.scale.empty()) return InvalidArgument("no scale");
  if (entry.scale.size() != entry.offset.size()) {
    return InvalidArgument(fmt::format("{} scales, but {} offsets", entry.scale.size(), entry.offset.size()));
  }
  LQ_ASSIGN_OR_RETURN(const std::vector<double> shifts, GetNumbers(object, "zero_point_shift"));
  for (double shift : shifts) {
    if (shift != 0) entry.zero_point_shift = shift;
  }
  return OkStatus();
}

Status ReadBlocks(dom::object object, EncodingEntry& entry) {
  if (entry.type != EncodingType::kPerBlock && entry.type != EncodingType::kLpbq) return OkStatus();
  LQ_RETURN_IF_ERROR(GetInteger(object, "block_size", 1, 0x1p53, entry.block_size));
  if (entry.type != EncodingType::kLpbq) return OkStatus();
  int64_t bitwidth = 0;
  LQ_RETURN_IF_ERROR(GetInteger(object, "compressed_bw", 1, kMaxBitwidth, bitwidth));
  entry.compressed_bitwidth = static_cast<int>(bitwidth);
  LQ_ASSIGN_OR_RETURN(const std::vector<double> scales, GetNumbers(object, "per_block_int_scale"));
  for (size_t i = 0; i < scales.size(); ++i) {
    int64_t scale = 0;
    LQ_RETURN_IF_ERROR(
        ToInteger(scales[i], fmt::format("integer scale {}", i), 0, std::numeric_limits<uint32_t>::max(), scale));
    entry.per_block_int_scale.push_back(static_cast<uint32_t>(scale));
  }
  return OkStatus();
}

// Everything but the name.
Status ReadNumbers(dom::object object, EncodingEntry& entry) {
  std::string_view dtype;
  LQ_RETURN_IF_ERROR(Require(object, "dtype", dtype, "a string"));
  if (dtype != "INT" && dtype != "FLOAT") {
    return Unsupported(fmt::format("dtype '{}'; supported: INT, FLOAT", dtype.substr(0, 64)));
  }
  entry.is_float = dtype == "FLOAT";
  int64_t bitwidth = 0;
  LQ_RETURN_IF_ERROR(GetInteger(object, "bw", 1, kMaxBitwidth, bitwidth));
  entry.bitwidth = static_cast<int>(bitwidth);
  if (entry.is_float) return OkStatus();
  LQ_ASSIGN_OR_RETURN(entry.type, ReadType(object));
  LQ_RETURN_IF_ERROR(Get(object, "is_sym", entry.is_symmetric, "true or false").status());
  LQ_RETURN_IF_ERROR(ReadScales(object, entry));
  return ReadBlocks(object, entry);
}

Result<EncodingEntry> ReadEntry(dom::element element) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return InvalidArgument("it is not an object");
  EncodingEntry entry;
  std::string_view name;
  LQ_RETURN_IF_ERROR(Require(object, "name", name, "a string"));
  if (name.empty() || name.size() > kMaxNameBytes) {
    return InvalidArgument(fmt::format("its name has {} bytes; 1 to {} are allowed", name.size(), kMaxNameBytes));
  }
  entry.name = name;
  const Status status = ReadNumbers(object, entry);
  if (!status.ok()) return Status(status.code(), fmt::format("encoding of '{}': {}", entry.name, status.message()));
  return entry;
}

// `names` of both lists: no tensor has two encodings.
Result<std::vector<EncodingEntry>> ReadList(dom::object root, std::string_view key,
                                            std::unordered_set<std::string>& names) {
  std::vector<EncodingEntry> entries;
  dom::array array;
  LQ_ASSIGN_OR_RETURN(const bool found, Get(root, key, array, "a list, as version 1.0.0 has it"));
  if (!found) return entries;
  for (dom::element element : array) {
    Result<EncodingEntry> entry = ReadEntry(element);
    if (!entry.ok()) {
      return Status(entry.status().code(), fmt::format("{}[{}]: {}", key, entries.size(), entry.status().message()));
    }
    if (!names.insert(entry->name).second) {
      return InvalidArgument(fmt::format("{}[{}]: encoding of '{}': the second one", key, entries.size(), entry->name));
    }
    entries.push_back(*std::move(entry));
  }
  return entries;
}

Result<EncodingsFile> ReadVersion100(dom::object root) {
  EncodingsFile file;
  file.version = "1.0.0";
  dom::object producer;
  LQ_ASSIGN_OR_RETURN(const bool has_producer, Get(root, "producer", producer, "an object"));
  if (has_producer) {
    std::string_view package;
    LQ_RETURN_IF_ERROR(Get(producer, "package", package, "a string").status());
    file.producer = package;
  }
  std::unordered_set<std::string> names;
  LQ_ASSIGN_OR_RETURN(file.activations, ReadList(root, "activation_encodings", names));
  LQ_ASSIGN_OR_RETURN(file.params, ReadList(root, "param_encodings", names));
  return file;
}

// simdjson says what is wrong but not where. NaN and Infinity, which Python writes and JSON lacks, can be pointed at.
Status ParseError(std::string_view text, simdjson::error_code error) {
  for (const std::string_view word : {"NaN", "Infinity"}) {
    const size_t at = text.find(word);
    if (at == std::string_view::npos) continue;
    return InvalidArgument(fmt::format("not JSON: {} (the first {} is at byte {}; numbers must be finite)",
                                       simdjson::error_message(error), word, at));
  }
  return InvalidArgument(fmt::format("not JSON of {} bytes nested at most {} deep: {}", text.size(), kMaxDepth,
                                     simdjson::error_message(error)));
}

// `padded` holds `size` bytes of text before the padding.
Result<EncodingsFile> Parse(const std::string& padded, size_t size) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // editors write it in front of UTF-8
  const std::string_view whole(padded.data(), size);
  std::string_view text = whole;
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  dom::parser parser;
  if (const simdjson::error_code error = parser.allocate(text.size(), kMaxDepth)) return ParseError(whole, error);
  dom::element element;
  const simdjson::error_code error = parser.parse(text.data(), text.size(), false).get(element);
  if (error != simdjson::SUCCESS) return ParseError(whole, error);
  dom::object root;
  if (element.get(root) != simdjson::SUCCESS) return InvalidArgument("its outermost value is not an object");
  std::string_view version;
  LQ_RETURN_IF_ERROR(Require(root, "version", version, "a string"));
  if (version == "1.0.0") return ReadVersion100(root);
  return Unsupported(fmt::format("encodings version '{}'; supported: 1.0.0", version.substr(0, 64)));
}

}  // namespace

Result<EncodingsFile> ReadEncodings(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  LQ_ASSIGN_OR_RETURN(const std::string padded, file.ReadAll(kMaxFileBytes, simdjson::SIMDJSON_PADDING));
  Result<EncodingsFile> encodings = Parse(padded, file.size());
  if (!encodings.ok()) return InFile(path, encodings.status());
  return encodings;
}

}  // namespace lq
