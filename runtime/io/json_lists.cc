#include "runtime/io/json_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "runtime/io/json_fields.h"

namespace lq::json {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxDepth = 64;  // AIMET nests 7 deep
constexpr size_t kChunk = 1 << 18;
constexpr size_t kMostKeyBytes = 64;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // editors write it in front of UTF-8

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Characters that are more than text between brackets.
constexpr std::array<bool, 256> kIsSpecial = [] {
  std::array<bool, 256> table{};
  for (const unsigned char c : {'"', '{', '}', '[', ']', ','}) table[c] = true;
  return table;
}();

}  // namespace

// Follows strings and brackets, and cuts at the commas of the lists; whether the pieces are JSON is their parser's to
// say.
class ListScanner {
 public:
  ListScanner(std::span<const std::string_view> keys, Lists& lists) : keys_(keys), lists_(lists) {}

  void Feed(std::string_view text, uint64_t at) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (in_string_) {
        InString(text[i]);
      } else if (kIsSpecial[static_cast<unsigned char>(text[i])]) {
        Special(text[i], at + i);
      } else if (depth_ == kItems) {
        has_text_ |= !IsSpace(text[i]);
      }
      if (!in_list_) lists_.skeleton_ += text[i];
    }
  }

 private:
  static constexpr int64_t kMembers = 1, kItems = 2;  // depths inside of the outermost object, inside of a list

  void InString(char c) {
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == '\\') {
      is_escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
      return;
    }
    if (depth_ == kMembers && key_.size() <= kMostKeyBytes) key_ += c;
  }

  void Special(char c, uint64_t at) {
    if (c == ',') {
      if (in_list_ && depth_ == kItems) EndItem(at);
      return;
    }
    if ((c == '}' || c == ']') && --depth_ == kMembers && in_list_) {
      if (has_text_ || !lists_.lists_.back().items.empty()) EndItem(at);
      in_list_ = false;
    }
    if (c == '"') {
      in_string_ = true;
      if (depth_ == kMembers) key_.clear();
    }
    has_text_ = true;
    if (c == '{' || c == '[') Open(c, at);
  }

  void Open(char c, uint64_t at) {
    if (++depth_ != kItems || in_list_ || std::find(keys_.begin(), keys_.end(), key_) == keys_.end()) return;
    lists_.skeleton_ += c;  // here: what follows is left out
    lists_.lists_.push_back({key_, c == '{', {}});
    in_list_ = true;
    has_text_ = false;
    item_at_ = at + 1;
  }

  void EndItem(uint64_t at) {
    lists_.lists_.back().items.push_back({lists_.file_, item_at_, at - item_at_});
    has_text_ = false;
    item_at_ = at + 1;
  }

  std::span<const std::string_view> keys_;
  Lists& lists_;
  int64_t depth_ = 0;
  bool in_string_ = false, is_escaped_ = false;
  bool in_list_ = false, has_text_ = false;  // the latter of the item
  std::string key_;                          // the last string among the members
  uint64_t item_at_ = 0;
};

Result<Lists> Lists::Scan(const File& file, std::span<const std::string_view> keys) {
  Lists lists(file);
  ListScanner scanner(keys, lists);
  std::string chunk(static_cast<size_t>(std::min<uint64_t>(kChunk, file.size())), '\0');
  for (uint64_t at = 0; at < file.size(); at += chunk.size()) {
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(chunk.size(), file.size() - at)));
    LQ_RETURN_IF_ERROR(file.ReadAt(at, std::as_writable_bytes(std::span(chunk))));
    const bool has_mark = at == 0 && std::string_view(chunk).substr(0, kByteOrderMark.size()) == kByteOrderMark;
    const size_t skipped = has_mark ? kByteOrderMark.size() : 0;
    scanner.Feed(std::string_view(chunk).substr(skipped), skipped + at);
  }
  return lists;
}

Result<dom::object> Lists::Root() {
  dom::element element;
  if (const auto error = Parse(skeleton_, kMaxDepth, root_parser_, element)) return NotJson(error);
  dom::object root;
  if (element.get(root) != simdjson::SUCCESS) return InvalidArgument("its outermost value is not an object");
  return root;
}

const Lists::List* Lists::Find(std::string_view key) const {
  const auto found = std::find_if(lists_.begin(), lists_.end(), [&](const List& list) { return list.key == key; });
  return found == lists_.end() ? nullptr : &*found;
}

Result<dom::element> Lists::ParseItem(const List& list, size_t index) {
  const FileRange& range = list.items[index];
  item_.assign(list.is_object ? 1 : 0, '{');
  const size_t begin = item_.size();
  item_.resize(begin + static_cast<size_t>(range.size));
  LQ_RETURN_IF_ERROR(file_->ReadAt(range.offset, std::as_writable_bytes(std::span(item_).subspan(begin))));
  if (list.is_object) item_ += '}';
  dom::element element;
  if (const auto error = Parse(item_, kMaxDepth - 1, item_parser_, element)) return NotJson(error);
  return element;
}

// simdjson says what is wrong but not where. NaN and Infinity, which Python writes and JSON lacks, can be pointed at.
Status Lists::NotJson(simdjson::error_code error) const {
  LQ_ASSIGN_OR_RETURN(const std::string text, file_->ReadAll(file_->size()));
  for (const std::string_view word : {"NaN", "Infinity"}) {
    const size_t at = text.find(word);
    if (at == std::string::npos) continue;
    return InvalidArgument(fmt::format("not JSON: {} (the first {} is at byte {}; numbers must be finite)",
                                       simdjson::error_message(error), word, at));
  }
  return InvalidArgument(fmt::format("not JSON of {} bytes nested at most {} deep: {}", text.size(), kMaxDepth,
                                     simdjson::error_message(error)));
}

}  // namespace lq::json
