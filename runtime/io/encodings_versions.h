// The grammars of encodings files, one file each, and what they share.
#ifndef LANEQUANT_RUNTIME_IO_ENCODINGS_VERSIONS_H_
#define LANEQUANT_RUNTIME_IO_ENCODINGS_VERSIONS_H_

#include <string>
#include <string_view>
#include <unordered_set>

#include "lanequant/status.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/io/json_lists.h"

namespace lq {

constexpr int kMaxEncodingBits = 32;

// The entries of a file in the making: no tensor has two.
class EncodingEntries {
 public:
  explicit EncodingEntries(EncodingsFile& file) : file_(file) {}
  // Errors: the name is wrong or has an entry already.
  Status Add(EncodingEntry entry);

 private:
  EncodingsFile& file_;
  std::unordered_set<std::string> names_;
};

// "param_encodings[3]: encoding of 'w': " in front of a message. `name` may be empty.
Status InEntry(std::string_view list, size_t index, std::string_view name, const Status& status);

// A fractional offset of x.5 is another spelling of zero_point_shift 1/2: aimet_onnx has -1.5 where aimet_torch has -2
// and a shift.
void SplitHalves(EncodingEntry& entry);

// The file and its outermost object, whose lists are to be read item by item.
struct EncodingsText {
  json::Lists& lists;
  simdjson::dom::object root;
};

// A list of objects with a name; `read_numbers` reads what else they hold.
struct EntryList {
  const char* key;
  const char* type;  // what the member has to be, for the message
  Status (*read_numbers)(simdjson::dom::object object, EncodingEntry& entry);
};
// Adds the list's entries, if the file has it. Errors name the list, the entry's place and its name.
Status ReadEntryList(const EncodingsText& text, const EntryList& list, EncodingEntries& entries);

Status ReadEncodings061(const EncodingsText& text, EncodingEntries& entries);  // dicts of lists
Status ReadEncodings100(const EncodingsText& text, EncodingEntries& entries);  // two lists of flat entries
Status ReadEncodings2(const EncodingsText& text, EncodingEntries& entries);    // 2.0.0, 2.1.0: one list, nested arrays

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ENCODINGS_VERSIONS_H_
