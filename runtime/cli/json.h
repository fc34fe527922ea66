// JSON output: a writer that keeps commas and indentation right.
#ifndef LANEQUANT_RUNTIME_CLI_JSON_H_
#define LANEQUANT_RUNTIME_CLI_JSON_H_

#include <concepts>
#include <string>
#include <string_view>

namespace lq::cli {

class JsonWriter {
 public:
  // Members of an object take a key, elements of an array none.
  JsonWriter& BeginObject(std::string_view key = {}) { return Begin(key, '{', '}'); }
  JsonWriter& BeginArray(std::string_view key = {}) { return Begin(key, '[', ']'); }
  JsonWriter& End();

  JsonWriter& String(std::string_view key, std::string_view value);
  JsonWriter& Number(std::string_view key, std::integral auto value) { return Put(key, std::to_string(value)); }
  // The shortest digits that read back as `value`; null where it is not finite.
  JsonWriter& Number(std::string_view key, double value);
  JsonWriter& Bool(std::string_view key, bool value);

  // Complete once everything has ended; ends with a newline.
  std::string text() const { return text_ + "\n"; }

 private:
  JsonWriter& Begin(std::string_view key, char open, char close);
  JsonWriter& Put(std::string_view key, std::string_view value);
  void NewLine();

  std::string text_;
  std::string closing_;  // the brackets that are open
  bool first_ = true;    // in the innermost one
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_JSON_H_
