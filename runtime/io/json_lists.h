// JSON files whose outermost object holds long lists: these are parsed one item at a time. Encodings of a large model
// are some hundred megabytes of text, and simdjson needs another hundred for the numbers in it.
#ifndef LANEQUANT_RUNTIME_IO_JSON_LISTS_H_
#define LANEQUANT_RUNTIME_IO_JSON_LISTS_H_

#include <simdjson.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/status.h"
#include "runtime/io/file.h"
#include "runtime/status_macros.h"

namespace lq::json {

class Lists {
 public:
  // Members of the outermost object that have a name of `keys` and are lists or objects are kept for ForEach. `file`
  // stays open as long as this lives. Errors: the file cannot be read.
  static Result<Lists> Scan(const File& file, std::span<const std::string_view> keys);

  // The outermost object, with these members empty. Errors: not JSON (outside of them), not an object.
  Result<simdjson::dom::object> Root();

  // visit(index, element) for each item of the first member of that name; an item of an object is an object of one
  // member. Ends at the first error. Errors: an item that is not JSON.
  template <class Visit>
  Status ForEach(std::string_view key, Visit visit) {
    const List* list = Find(key);
    for (size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      LQ_ASSIGN_OR_RETURN(const simdjson::dom::element item, ParseItem(*list, i));
      LQ_RETURN_IF_ERROR(visit(i, item));
    }
    return OkStatus();
  }

 private:
  friend class ListScanner;
  struct List {
    std::string key;
    bool is_object;
    std::vector<FileRange> items;  // "name": value, where it is an object
  };

  explicit Lists(const File& file) : file_(&file) {}
  const List* Find(std::string_view key) const;
  Result<simdjson::dom::element> ParseItem(const List& list, size_t index);
  // What is wrong with the file, as far as simdjson says it.
  Status NotJson(simdjson::error_code error) const;

  const File* file_;
  std::string skeleton_, item_;
  std::vector<List> lists_;
  simdjson::dom::parser root_parser_, item_parser_;
};

}  // namespace lq::json

#endif  // LANEQUANT_RUNTIME_IO_JSON_LISTS_H_
