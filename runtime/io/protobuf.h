// A walk over the fields of one protobuf message. protozero asserts wire types and throws; this checks and reports.
#ifndef LANEQUANT_RUNTIME_IO_PROTOBUF_H_
#define LANEQUANT_RUNTIME_IO_PROTOBUF_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/status.h"

namespace lq {

// for (ProtoFields fields("NodeProto", bytes); fields.Next();) switch (fields.number()) ..., then fields.status().
// Fields that the caller does not ask about are skipped. Views point into the message.
class ProtoFields {
 public:
  ProtoFields(const char* message_name, std::string_view message) : name_(message_name), rest_(message) {}

  // Moves to the next field. False at the end of the message and at a malformed field: status() tells which.
  bool Next();
  const Status& status() const { return status_; }
  uint32_t number() const { return number_; }

  // The current field's value; an error if the file gives it another wire type.
  Result<int64_t> Int() const;
  Result<float> Float() const;
  Result<std::string_view> Bytes() const;
  // As Bytes, as a copy. Error: longer than 4096 bytes.
  Result<std::string> Name() const;

  // Appends a repeated number, packed or not.
  Status AppendInts(std::vector<int64_t>& out) const;
  Status AppendFloats(std::vector<float>& out) const;
  Status AppendDoubles(std::vector<double>& out) const;

 private:
  enum class Wire { kVarint, kFixed64, kBytes, kFixed32 };

  Status WrongType(const char* expected) const;
  Status Malformed(const char* reason) const;

  const char* name_;
  std::string_view rest_;
  uint32_t number_ = 0;
  Wire wire_ = Wire::kVarint;
  uint64_t bits_ = 0;       // of a varint or a fixed field
  std::string_view bytes_;  // of a length-delimited field
  Status status_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_PROTOBUF_H_
