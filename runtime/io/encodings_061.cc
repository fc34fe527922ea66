// Version 0.6.1: {"param_encodings": {"w": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "scale": ..,
// "offset": ..}, ..one for each channel..]}}. Blocks are flattened into that list without their size.
#include <fmt/format.h>

#include "runtime/io/encodings_versions.h"
#include "runtime/io/json_fields.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

using json::Get;
using json::Require;
namespace dom = simdjson::dom;

// "True", "False", or a bool.
Result<bool> ReadFlag(dom::object object, std::string_view key) {
  dom::element element;
  if (object.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) return false;
  bool flag = false;
  if (element.get(flag) == simdjson::SUCCESS) return flag;
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS && (text == "True" || text == "False")) return text == "True";
  return InvalidArgument(fmt::format("'{}' is neither \"True\" nor \"False\"", key));
}

// The fields that all channels have in common.
Status ReadKind(dom::object object, EncodingEntry& entry) {
  std::string_view dtype = "int";
  LQ_RETURN_IF_ERROR(Get(object, "dtype", dtype, "a string").status());
  if (dtype != "int" && dtype != "float") {
    return Unsupported(fmt::format("dtype '{}'; supported: int, float", dtype.substr(0, 64)));
  }
  entry.is_float = dtype == "float";
  int64_t bitwidth = 0;
  LQ_RETURN_IF_ERROR(json::GetInteger(object, "bitwidth", 1, kMaxEncodingBits, bitwidth));
  entry.bitwidth = static_cast<int>(bitwidth);
  LQ_ASSIGN_OR_RETURN(entry.is_symmetric, ReadFlag(object, "is_symmetric"));
  return OkStatus();
}

Status AppendChannel(dom::element element, EncodingEntry& entry) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return InvalidArgument("it is not an object");
  EncodingEntry kind;
  LQ_RETURN_IF_ERROR(ReadKind(object, kind));
  const bool first = entry.scale.empty() && !entry.is_float;
  if (first) {
    entry.is_float = kind.is_float;
    entry.bitwidth = kind.bitwidth;
    entry.is_symmetric = kind.is_symmetric;
  } else if (kind.is_float != entry.is_float || kind.bitwidth != entry.bitwidth ||
             kind.is_symmetric != entry.is_symmetric) {
    return InvalidArgument(fmt::format("it has bitwidth {}, the ones before it {}, or another dtype or is_symmetric",
                                       kind.bitwidth, entry.bitwidth));
  }
  if (entry.is_float) return OkStatus();
  double scale = 0, offset = 0, shift = 0;
  LQ_RETURN_IF_ERROR(Require(object, "scale", scale, "a number"));
  LQ_RETURN_IF_ERROR(Require(object, "offset", offset, "a number"));
  LQ_RETURN_IF_ERROR(Get(object, "zero_point_shift", shift, "a number").status());
  entry.scale.push_back(static_cast<float>(scale));
  entry.offset.push_back(offset);
  if (shift != 0) entry.zero_point_shift = shift;
  return OkStatus();
}

Status ReadChannels(dom::element value, EncodingEntry& entry) {
  dom::array channels;
  if (value.get(channels) != simdjson::SUCCESS) return InvalidArgument("it is not a list, as version 0.6.1 has it");
  size_t count = 0;
  for (dom::element channel : channels) {
    const Status status = AppendChannel(channel, entry);
    if (!status.ok()) return Status(status.code(), fmt::format("element {}: {}", count, status.message()));
    ++count;
  }
  if (count == 0) return InvalidArgument("no scale");
  if (count > 1) entry.type = EncodingType::kPerChannel;
  SplitHalves(entry);
  return OkStatus();
}

Status ReadTensor(const dom::key_value_pair& tensor, EncodingEntries& entries) {
  EncodingEntry entry;
  entry.name = tensor.key;
  LQ_RETURN_IF_ERROR(ReadChannels(tensor.value, entry));
  return entries.Add(std::move(entry));
}

Status ReadDict(const EncodingsText& text, std::string_view key, EncodingEntries& entries) {
  dom::object tensors;
  LQ_RETURN_IF_ERROR(Get(text.root, key, tensors, "an object, as version 0.6.1 has it").status());
  return text.lists.ForEach(key, [&](size_t index, dom::element element) {
    dom::object item;
    if (element.get(item) != simdjson::SUCCESS) return InvalidArgument(fmt::format("'{}' is not an object", key));
    for (const dom::key_value_pair tensor : item) {
      const Status status = ReadTensor(tensor, entries);
      if (!status.ok()) return InEntry(key, index, tensor.key, status);
    }
    return OkStatus();
  });
}

}  // namespace

Status ReadEncodings061(const EncodingsText& text, EncodingEntries& entries) {
  LQ_RETURN_IF_ERROR(ReadDict(text, "activation_encodings", entries));
  return ReadDict(text, "param_encodings", entries);
}

}  // namespace lq
