#include "runtime/io/encodings_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "runtime/io/encodings_versions.h"
#include "runtime/io/file.h"
#include "runtime/io/json_fields.h"
#include "runtime/io/json_lists.h"
#include "runtime/io/name_limit.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

namespace dom = simdjson::dom;

constexpr uint64_t kMaxEncodingsBytes = uint64_t{1} << 30;

// The members that a large model makes long.
constexpr std::array<std::string_view, 3> kLists = {"encodings", "activation_encodings", "param_encodings"};

Result<EncodingsFile> Read(const File& source) {
  LQ_ASSIGN_OR_RETURN(json::Lists lists, json::Lists::Scan(source, kLists));
  LQ_ASSIGN_OR_RETURN(const dom::object root, lists.Root());
  EncodingsFile file;
  std::string_view version, package;
  LQ_RETURN_IF_ERROR(json::Require(root, "version", version, "a string"));
  file.version = version.substr(0, 64);
  dom::object producer;
  LQ_ASSIGN_OR_RETURN(const bool has_producer, json::Get(root, "producer", producer, "an object"));
  if (has_producer) LQ_RETURN_IF_ERROR(json::Get(producer, "package", package, "a string").status());
  file.producer = package;
  EncodingEntries entries(file);
  const EncodingsText text{lists, root};
  Status status;
  if (version == "0.6.1") {
    status = ReadEncodings061(text, entries);
  } else if (version == "1.0.0") {
    status = ReadEncodings100(text, entries);
  } else if (version == "2.0.0" || version == "2.1.0") {
    status = ReadEncodings2(text, entries);
  } else {
    status = Unsupported(fmt::format("encodings version '{}'; supported: 0.6.1, 1.0.0, 2.0.0, 2.1.0", file.version));
  }
  if (!status.ok()) return status;
  return file;
}

// Error: a name that is empty or longer than 4096 bytes.
Status CheckEntryName(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes) return OkStatus();
  return InvalidArgument(fmt::format("its name has {} bytes; 1 to {} are allowed", name.size(), kMaxNameBytes));
}

Status ReadNamedEntry(dom::element element, const EntryList& list, EncodingEntry& entry) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return InvalidArgument("it is not an object");
  std::string_view name;
  LQ_RETURN_IF_ERROR(json::Require(object, "name", name, "a string"));
  LQ_RETURN_IF_ERROR(CheckEntryName(name));
  entry.name = name;
  return list.read_numbers(object, entry);
}

}  // namespace

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

Status ReadEntryList(const EncodingsText& text, const EntryList& list, EncodingEntries& entries) {
  dom::array array;
  LQ_RETURN_IF_ERROR(json::Get(text.root, list.key, array, list.type).status());
  return text.lists.ForEach(list.key, [&](size_t index, dom::element element) {
    EncodingEntry entry;
    Status status = ReadNamedEntry(element, list, entry);
    const std::string name = entry.name;
    if (status.ok()) status = entries.Add(std::move(entry));
    return status.ok() ? status : InEntry(list.key, index, name, status);
  });
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
  if (file.size() > kMaxEncodingsBytes) {
    return Unsupported(
        fmt::format("{}: {} bytes; files of up to {} bytes are read", path, file.size(), kMaxEncodingsBytes));
  }
  Result<EncodingsFile> encodings = Read(file);
  if (!encodings.ok()) return InFile(path, encodings.status());
  return encodings;
}

}  // namespace lq
