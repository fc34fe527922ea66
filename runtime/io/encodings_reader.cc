#include "runtime/io/encodings_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "runtime/io/encodings_versions.h"
#include "runtime/io/file.h"
#include "runtime/io/json_fields.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

namespace dom = simdjson::dom;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr size_t kMaxDepth = 64;  // AIMET nests 7 deep
constexpr size_t kMaxNameBytes = 4096;

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

Result<EncodingsFile> ReadVersion(dom::object root) {
  EncodingsFile file;
  std::string_view version, package;
  LQ_RETURN_IF_ERROR(json::Require(root, "version", version, "a string"));
  file.version = version.substr(0, 64);
  dom::object producer;
  LQ_ASSIGN_OR_RETURN(const bool has_producer, json::Get(root, "producer", producer, "an object"));
  if (has_producer) LQ_RETURN_IF_ERROR(json::Get(producer, "package", package, "a string").status());
  file.producer = package;
  EncodingEntries entries(file);
  Status status;
  if (version == "0.6.1") {
    status = ReadEncodings061(root, entries);
  } else if (version == "1.0.0") {
    status = ReadEncodings100(root, entries);
  } else if (version == "2.0.0" || version == "2.1.0") {
    status = ReadEncodings2(root, entries);
  } else {
    status = Unsupported(fmt::format("encodings version '{}'; supported: 0.6.1, 1.0.0, 2.0.0, 2.1.0", file.version));
  }
  if (!status.ok()) return status;
  return file;
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
  return ReadVersion(root);
}

}  // namespace

Status CheckEntryName(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes) return OkStatus();
  return InvalidArgument(fmt::format("its name has {} bytes; 1 to {} are allowed", name.size(), kMaxNameBytes));
}

Status EncodingEntries::Add(EncodingEntry entry) {
  LQ_RETURN_IF_ERROR(CheckEntryName(entry.name));
  if (!names_.insert(entry.name).second) return InvalidArgument("the second one");
  file_.entries.push_back(std::move(entry));
  return OkStatus();
}

Status InEntry(std::string_view list, size_t index, std::string_view name, const Status& status) {
  const std::string of = name.empty() ? "" : fmt::format("encoding of '{}': ", name.substr(0, kMaxNameBytes));
  return Status(status.code(), fmt::format("{}[{}]: {}{}", list, index, of, status.message()));
}

void SplitHalves(EncodingEntry& entry) {
  for (double& offset : entry.offset) {
    if (offset - std::floor(offset) != 0.5) continue;
    offset = std::floor(offset);
    entry.zero_point_shift = 0.5;
  }
}

int DecompressedBits(int bitwidth, const std::vector<uint32_t>& scales) {
  uint32_t largest = 1;
  for (uint32_t scale : scales) largest = std::max(largest, scale);
  int bits = 2 * bitwidth;
  while (bits < kMaxEncodingBits && largest > uint64_t{1} << (bits - bitwidth)) ++bits;
  return bits;
}

Result<EncodingsFile> ReadEncodings(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  LQ_ASSIGN_OR_RETURN(const std::string padded, file.ReadAll(kMaxFileBytes, simdjson::SIMDJSON_PADDING));
  Result<EncodingsFile> encodings = Parse(padded, file.size());
  if (!encodings.ok()) return InFile(path, encodings.status());
  return encodings;
}

}  // namespace lq
