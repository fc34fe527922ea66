// Version 1.0.0: {"param_encodings": [{"name": "w", "dtype": "INT", "enc_type": "PER_CHANNEL", "bw": 8, "is_sym": true,
// "scale": [..], "offset": [..]}]}. Arrays are flat; which axes they belong to follows from what reads the tensor.
#include <fmt/format.h>

#include "runtime/io/encodings_versions.h"
#include "runtime/io/json_fields.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

using json::Get;
using json::GetInteger;
using json::GetNumbers;
using json::Require;
namespace dom = simdjson::dom;

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
  LQ_RETURN_IF_ERROR(GetInteger(object, "compressed_bw", 1, kMaxEncodingBits, bitwidth));
  entry.compressed_bitwidth = static_cast<int>(bitwidth);
  LQ_ASSIGN_OR_RETURN(const std::vector<double> scales, GetNumbers(object, "per_block_int_scale"));
  return json::ToScales(scales, entry.per_block_int_scale);
}

// Everything but the name.
Status ReadNumbers100(dom::object object, EncodingEntry& entry) {
  std::string_view dtype;
  LQ_RETURN_IF_ERROR(Require(object, "dtype", dtype, "a string"));
  if (dtype != "INT" && dtype != "FLOAT") {
    return Unsupported(fmt::format("dtype '{}'; supported: INT, FLOAT", dtype.substr(0, 64)));
  }
  entry.is_float = dtype == "FLOAT";
  int64_t bitwidth = 0;
  LQ_RETURN_IF_ERROR(GetInteger(object, "bw", 1, kMaxEncodingBits, bitwidth));
  entry.bitwidth = static_cast<int>(bitwidth);
  if (entry.is_float) return OkStatus();
  LQ_ASSIGN_OR_RETURN(entry.type, ReadType(object));
  LQ_RETURN_IF_ERROR(Get(object, "is_sym", entry.is_symmetric, "true or false").status());
  LQ_RETURN_IF_ERROR(ReadScales(object, entry));
  SplitHalves(entry);
  return ReadBlocks(object, entry);
}

}  // namespace

Status ReadEncodings100(const EncodingsText& text, EncodingEntries& entries) {
  constexpr const char* kType = "a list, as version 1.0.0 has it";
  LQ_RETURN_IF_ERROR(ReadEntryList(text, {"activation_encodings", kType, ReadNumbers100}, entries));
  return ReadEntryList(text, {"param_encodings", kType, ReadNumbers100}, entries);
}

}  // namespace lq
