#include "runtime/io/safetensors.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <utility>

#include "runtime/io/json_fields.h"
#include "runtime/io/memory_budget.h"
#include "runtime/io/name_limit.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

static_assert(std::endian::native == std::endian::little);

namespace dom = simdjson::dom;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxHeaderDepth = 16;
constexpr size_t kPrefixBytes = sizeof(uint64_t);

// 0: no type of the format.
uint64_t BytesOfType(std::string_view type) {
  constexpr std::pair<std::string_view, uint64_t> kTypes[] = {
      {"BOOL", 1}, {"U8", 1},   {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"U16", 2}, {"I16", 2},
      {"F16", 2},  {"BF16", 2}, {"U32", 4}, {"I32", 4},     {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8}};
  const auto* found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return t.first == type; });
  return found == std::end(kTypes) ? 0 : found->second;
}

Result<Shape> ReadShape(dom::object object) {
  LQ_ASSIGN_OR_RETURN(const std::vector<double> numbers, json::GetNumbers(object, "shape"));
  if (numbers.size() > Shape::kMaxRank) {
    return Unsupported(fmt::format("{} dimensions; up to {} are read", numbers.size(), Shape::kMaxRank));
  }
  std::vector<int64_t> dims(numbers.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    LQ_RETURN_IF_ERROR(json::ToInteger(numbers[i], "a dimension", 0, static_cast<double>(Shape::kMaxDim), dims[i]));
  }
  return Shape(dims);
}

// `data`: where the tensors begin, `size`: the file's.
Result<SafetensorsTensor> ReadTensor(std::string_view name, dom::element element, uint64_t data, uint64_t size) {
  SafetensorsTensor tensor{std::string(name), "", {}, 0, 0};
  dom::object object;
  std::string_view type;
  if (element.get(object) != simdjson::SUCCESS) return InvalidArgument("not an object");
  LQ_RETURN_IF_ERROR(json::Require(object, "dtype", type, "a string"));
  tensor.type = type.substr(0, 64);
  const uint64_t width = BytesOfType(type);
  if (width == 0) return Unsupported(fmt::format("dtype '{}'; supported: those of one to eight bytes", tensor.type));
  LQ_ASSIGN_OR_RETURN(tensor.shape, ReadShape(object));
  LQ_ASSIGN_OR_RETURN(const std::vector<double> places, json::GetNumbers(object, "data_offsets"));
  if (places.size() != 2) return InvalidArgument(fmt::format("{} data_offsets, not 2", places.size()));
  const auto room = static_cast<double>(size - data);
  int64_t begin = 0, end = 0;
  LQ_RETURN_IF_ERROR(json::ToInteger(places[0], "the begin in data_offsets", 0, room, begin));
  LQ_RETURN_IF_ERROR(json::ToInteger(places[1], "the end in data_offsets", static_cast<double>(begin), room, end));
  tensor.offset = data + static_cast<uint64_t>(begin);
  tensor.bytes = static_cast<uint64_t>(end - begin);
  const int64_t elements = tensor.shape.NumElements();
  if (elements < 0 || tensor.bytes % width != 0 || tensor.bytes / width != static_cast<uint64_t>(elements)) {
    return InvalidArgument(
        fmt::format("{} bytes are not {} of shape {}", tensor.bytes, tensor.type, tensor.shape.ToString()));
  }
  return tensor;
}

// Sorts by place. Error: two tensors share a byte, or a byte has no tensor.
Status CheckPlaces(std::vector<SafetensorsTensor>& tensors, uint64_t data, uint64_t size) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  uint64_t at = data;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.offset != at) {
      return InvalidArgument(
          fmt::format("tensor '{}': begins at byte {}, the one before ends at {}", tensor.name, tensor.offset, at));
    }
    at += tensor.bytes;
  }
  return at == size ? OkStatus() : InvalidArgument(fmt::format("tensors end at byte {} of {}", at, size));
}

}  // namespace

Status Safetensors::ReadHeader() {
  std::array<uint64_t, 1> length{};
  if (file_.size() < kPrefixBytes) return InvalidArgument(fmt::format("{} bytes are no header", file_.size()));
  LQ_RETURN_IF_ERROR(file_.ReadAt(0, std::as_writable_bytes(std::span(length))));
  const uint64_t header = length[0];
  if (header > kMaxHeaderBytes || header > file_.size() - kPrefixBytes) {
    return InvalidArgument(
        fmt::format("a header of {} bytes in a file of {}; up to {} are read", header, file_.size(), kMaxHeaderBytes));
  }
  std::string text(header, '\0');
  LQ_RETURN_IF_ERROR(file_.ReadAt(kPrefixBytes, std::as_writable_bytes(std::span(text))));
  dom::parser parser;
  const Result<dom::object> members = json::ParseObject(text, kMaxHeaderDepth, parser);
  if (!members.ok()) return InvalidArgument(fmt::format("its header is {}", members.status().message()));
  const uint64_t data = kPrefixBytes + header;
  for (const auto [name, element] : *members) {
    if (name == "__metadata__") continue;
    if (name.empty() || name.size() > kMaxNameBytes) {
      return InvalidArgument(
          fmt::format("a tensor's name has {} bytes; 1 to {} are allowed", name.size(), kMaxNameBytes));
    }
    Result<SafetensorsTensor> tensor = ReadTensor(name, element, data, file_.size());
    if (!tensor.ok()) {
      return Status(tensor.status().code(), fmt::format("tensor '{}': {}", name, tensor.status().message()));
    }
    tensors_.push_back(*std::move(tensor));
  }
  return CheckPlaces(tensors_, data, file_.size());
}

Result<Safetensors> Safetensors::Open(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(File file, File::Open(path));
  Safetensors result(std::move(file));
  const Status status = result.ReadHeader();
  if (!status.ok()) return InFile(path, status);
  return result;
}

Result<std::vector<std::byte>> Safetensors::Read(const SafetensorsTensor& tensor) const {
  MemoryBudget budget;
  LQ_RETURN_IF_ERROR(budget.Take(tensor.name, tensor.bytes));
  std::vector<std::byte> bytes(tensor.bytes);
  const Status status = file_.ReadAt(tensor.offset, bytes);
  if (!status.ok()) return InFile(file_.path(), status);
  return bytes;
}

}  // namespace lq
