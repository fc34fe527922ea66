#include "runtime/io/onnx_outline.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kWindow = 1 << 16;  // read at once where messages are walked
constexpr int kMostVarintBytes = 10;

// The field of a message that is walked: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data.
constexpr std::array<uint32_t, 3> kWalked = {7, 5, 9};
constexpr size_t kInitializer = 1, kRawData = 2;

struct ProtoField {
  uint32_t tag = 0;
  uint64_t begin = 0, end = 0;  // of what follows the tag and the length

  bool is_bytes() const { return (tag & 7) == 2; }
  uint32_t number() const { return tag >> 3; }
};

class Walk {
 public:
  explicit Walk(const File& file) : file_(file) {}

  Result<OnnxOutline> Run() {
    Message(0, 0, file_.size());
    if (!status_.ok()) return status_;
    return std::move(outline_);
  }

 private:
  // Appends the message at [begin, end) of the file.
  void Message(size_t level, uint64_t begin, uint64_t end) {
    uint64_t kept = begin;  // up to here it is in the outline
    ProtoField field;
    for (uint64_t at = begin; at < end && Next(at, end, field); at = field.end) {
      if (!field.is_bytes() || field.number() != kWalked[level]) continue;
      Copy(kept, at);
      kept = field.end;
      if (level == kInitializer) outline_.raw_data.emplace_back();
      if (level == kRawData) {
        outline_.raw_data.back() = FileRange{&file_, field.begin, field.end - field.begin};
      } else {
        Nested(level + 1, field);
      }
    }
    Copy(kept, end);
  }

  // The length goes in front of the message and is known behind it: it gets as many bytes as the largest has.
  void Nested(size_t level, const ProtoField& field) {
    std::string& out = outline_.message;
    out.push_back(static_cast<char>(field.tag));  // numbers below 16: one byte
    const size_t length_at = out.size();
    out.append(kMostVarintBytes, '\0');
    const size_t message_at = out.size();
    Message(level, field.begin, field.end);
    uint64_t length = out.size() - message_at;
    for (int i = 0; i < kMostVarintBytes - 1; ++i, length >>= 7) {
      out[length_at + static_cast<size_t>(i)] = static_cast<char>(length | 128);
    }
  }

  // The field at `at`. False: malformed, or the file cannot be read.
  bool Next(uint64_t at, uint64_t end, ProtoField& field) {
    uint64_t number = 0;
    if (!Varint(at, end, number)) return false;
    field.tag = static_cast<uint32_t>(number);
    switch (field.tag & 7) {
      case 0:
        field.begin = at;
        if (!Varint(at, end, number)) return false;
        field.end = at;
        return true;
      case 1:
        return Bytes(at, end, sizeof(uint64_t), field);
      case 2:
        return Varint(at, end, number) && Bytes(at, end, number, field);
      case 5:
        return Bytes(at, end, sizeof(uint32_t), field);
      default:
        return false;
    }
  }

  static bool Bytes(uint64_t at, uint64_t end, uint64_t size, ProtoField& field) {
    field.begin = at;
    field.end = at + size;
    return size <= end - at;
  }

  bool Varint(uint64_t& at, uint64_t end, uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 7 * kMostVarintBytes && at < end; shift += 7) {
      const uint8_t byte = At(at++);
      value |= uint64_t{byte} % 128 << shift;
      if (byte < 128) return status_.ok();
    }
    return false;
  }

  uint8_t At(uint64_t offset) {
    if (offset < window_at_ || offset - window_at_ >= window_.size()) {
      window_at_ = offset;
      window_.resize(static_cast<size_t>(std::min<uint64_t>(kWindow, file_.size() - offset)));
      Read(offset, std::as_writable_bytes(std::span(window_)));
    }
    return window_[static_cast<size_t>(offset - window_at_)];
  }

  void Copy(uint64_t begin, uint64_t end) {
    const size_t before = outline_.message.size();
    outline_.message.resize(before + static_cast<size_t>(end - begin));
    Read(begin, std::as_writable_bytes(std::span(outline_.message).subspan(before)));
  }

  void Read(uint64_t offset, std::span<std::byte> out) {
    if (status_.ok()) status_ = file_.ReadAt(offset, out);
  }

  const File& file_;
  OnnxOutline outline_;
  Status status_;
  uint64_t window_at_ = 0;
  std::vector<uint8_t> window_;
};

}  // namespace

Result<OnnxOutline> ReadOnnxOutline(const File& file) { return Walk(file).Run(); }

}  // namespace lq
