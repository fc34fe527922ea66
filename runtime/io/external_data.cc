#include "runtime/io/external_data.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <span>

#include "runtime/io/protobuf.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kMaxFiles = 4096;  // open at once

Result<uint64_t> ParseNumber(const std::string& tensor, const std::string& key, const std::string& text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || text.empty()) {
    return InvalidArgument(
        fmt::format("tensor '{}': {} of its external data is '{}', not a number of 64 bits", tensor, key, text));
  }
  return number;
}

}  // namespace

Status ExternalLocation::Add(const std::string& tensor, std::string_view entry) {
  std::string key, value;
  ProtoFields fields("StringStringEntryProto", entry);
  while (fields.Next()) {
    if (fields.number() == 1) {
      LQ_ASSIGN_OR_RETURN(key, fields.Name());
    } else if (fields.number() == 2) {
      LQ_ASSIGN_OR_RETURN(value, fields.Name());
    }
  }
  LQ_RETURN_IF_ERROR(fields.status());
  if (key == "location") {
    location = value;
  } else if (key == "offset") {
    LQ_ASSIGN_OR_RETURN(offset, ParseNumber(tensor, key, value));
  } else if (key == "length") {
    LQ_ASSIGN_OR_RETURN(length, ParseNumber(tensor, key, value));
  }
  return OkStatus();
}

Result<const File*> ExternalData::Find(const std::string& tensor, const ExternalLocation& place, uint64_t bytes) {
  const std::string owner = fmt::format("tensor '{}'", tensor);
  if (place.length.value_or(bytes) != bytes) {
    return InvalidArgument(
        fmt::format("{}: {} bytes of external data, but its shape needs {}", owner, *place.length, bytes));
  }
  auto found = files_.find(place.location);
  if (found == files_.end()) {
    if (files_.size() == kMaxFiles) {
      return Unsupported(fmt::format("{}: more than {} files of external data", owner, kMaxFiles));
    }
    LQ_ASSIGN_OR_RETURN(File file, File::OpenBeneath(folder_, place.location, owner));
    found = files_.emplace(place.location, std::move(file)).first;
  }
  const File& file = found->second;
  if (place.offset > file.size() || bytes > file.size() - place.offset) {
    return InvalidArgument(fmt::format("{}: {} bytes at offset {} of '{}', which has {} bytes", owner, bytes,
                                       place.offset, place.location, file.size()));
  }
  LQ_RETURN_IF_ERROR(budget_.Take(owner, bytes));
  return &file;
}

Result<std::string> ExternalData::Read(const std::string& tensor, const ExternalLocation& place, ExternalSize size) {
  LQ_ASSIGN_OR_RETURN(const File* file, Find(tensor, place, size.in_file));
  LQ_RETURN_IF_ERROR(budget_.Take(fmt::format("tensor '{}'", tensor), size.in_memory));
  std::string data(size.in_file, '\0');
  LQ_RETURN_IF_ERROR(file->ReadAt(place.offset, {reinterpret_cast<std::byte*>(data.data()), data.size()}));
  return data;
}

Status ExternalData::ReadFloats(const std::string& tensor, const ExternalLocation& place, uint64_t count,
                                std::vector<float>& out) {
  LQ_ASSIGN_OR_RETURN(const File* file, Find(tensor, place, count * sizeof(float)));
  out.resize(count);
  return file->ReadAt(place.offset, std::as_writable_bytes(std::span(out)));
}

}  // namespace lq
