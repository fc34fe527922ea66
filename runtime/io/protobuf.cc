// The only file that includes protozero, and so the only one of the library that is compiled with exceptions. None
// leaves it: Next and AppendInts, which call protozero, catch them all.
#include "runtime/io/protobuf.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <exception>
#include <protozero/pbf_reader.hpp>
#include <protozero/varint.hpp>

#include "runtime/io/name_limit.h"

namespace lq {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read as they are");

template <class T>
void AppendRaw(std::string_view bytes, std::vector<T>& out) {
  const size_t before = out.size();
  out.resize(before + bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(out.data() + before, bytes.data(), bytes.size());
}

}  // namespace

bool ProtoFields::Next() {
  if (rest_.empty() || !status_.ok()) return false;
  try {
    protozero::pbf_reader reader(rest_.data(), rest_.size());
    reader.next();
    number_ = reader.tag();
    switch (reader.wire_type()) {
      case protozero::pbf_wire_type::varint:
        wire_ = Wire::kVarint;
        bits_ = reader.get_uint64();
        break;
      case protozero::pbf_wire_type::fixed64:
        wire_ = Wire::kFixed64;
        bits_ = reader.get_fixed64();
        break;
      case protozero::pbf_wire_type::fixed32:
        wire_ = Wire::kFixed32;
        bits_ = reader.get_fixed32();
        break;
      default: {  // length-delimited; next() lets no other type through
        wire_ = Wire::kBytes;
        const protozero::data_view view = reader.get_view();
        bytes_ = {view.data(), view.size()};
      }
    }
    rest_.remove_prefix(rest_.size() - reader.length());
    return true;
  } catch (const std::exception& error) {
    status_ = Malformed(error.what());
    return false;
  }
}

Status ProtoFields::Malformed(const char* reason) const {
  return InvalidArgument(fmt::format("{}: malformed protobuf after field {} with {} bytes left: {}", name_, number_,
                                     rest_.size(), reason));
}

Status ProtoFields::WrongType(const char* expected) const {
  constexpr const char* kNames[] = {"a varint", "a fixed64", "length-delimited", "a fixed32"};
  return InvalidArgument(
      fmt::format("{}: field {} is {}, but {} is expected", name_, number_, kNames[static_cast<int>(wire_)], expected));
}

Result<int64_t> ProtoFields::Int() const {
  if (wire_ != Wire::kVarint) return WrongType("a varint");
  return static_cast<int64_t>(bits_);
}

Result<float> ProtoFields::Float() const {
  if (wire_ != Wire::kFixed32) return WrongType("a fixed32");
  return std::bit_cast<float>(static_cast<uint32_t>(bits_));
}

Result<std::string_view> ProtoFields::Bytes() const {
  if (wire_ != Wire::kBytes) return WrongType("length-delimited");
  return bytes_;
}

Result<std::string> ProtoFields::Name() const {
  if (wire_ != Wire::kBytes) return WrongType("length-delimited");
  if (bytes_.size() > kMaxNameBytes) {
    return InvalidArgument(fmt::format("{}: field {} is a name of {} bytes; up to {} are allowed", name_, number_,
                                       bytes_.size(), kMaxNameBytes));
  }
  return std::string(bytes_);
}

Status ProtoFields::AppendInts(std::vector<int64_t>& out) const {
  if (wire_ == Wire::kVarint) {
    out.push_back(static_cast<int64_t>(bits_));
    return OkStatus();
  }
  if (wire_ != Wire::kBytes) return WrongType("a list of varints");
  try {
    const char* data = bytes_.data();
    const char* const end = data + bytes_.size();
    while (data != end) out.push_back(static_cast<int64_t>(protozero::decode_varint(&data, end)));
  } catch (const std::exception& error) {
    return Malformed(error.what());
  }
  return OkStatus();
}

Status ProtoFields::AppendFloats(std::vector<float>& out) const {
  if (wire_ == Wire::kFixed32) {
    out.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits_)));
    return OkStatus();
  }
  if (wire_ != Wire::kBytes || bytes_.size() % sizeof(float) != 0) return WrongType("a list of fixed32");
  AppendRaw(bytes_, out);
  return OkStatus();
}

Status ProtoFields::AppendDoubles(std::vector<double>& out) const {
  if (wire_ == Wire::kFixed64) {
    out.push_back(std::bit_cast<double>(bits_));
    return OkStatus();
  }
  if (wire_ != Wire::kBytes || bytes_.size() % sizeof(double) != 0) return WrongType("a list of fixed64");
  AppendRaw(bytes_, out);
  return OkStatus();
}

}  // namespace lq
