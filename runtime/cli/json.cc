#include "runtime/cli/json.h"

#include <fmt/format.h>

#include <cmath>

namespace lq::cli {
namespace {

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace

void JsonWriter::NewLine() {
  if (closing_.empty()) return;
  text_ += '\n';
  text_.append(2 * closing_.size(), ' ');
}

JsonWriter& JsonWriter::Put(std::string_view key, std::string_view value) {
  if (!first_) text_ += ',';
  NewLine();
  if (!key.empty()) text_ += Quote(key) + ": ";
  text_ += value;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Begin(std::string_view key, char open, char close) {
  Put(key, std::string_view(&open, 1));
  closing_ += close;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::End() {
  const char close = closing_.back();
  closing_.pop_back();
  if (!first_) {
    text_ += '\n';
    text_.append(2 * closing_.size(), ' ');
  }
  text_ += close;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view key, std::string_view value) { return Put(key, Quote(value)); }

JsonWriter& JsonWriter::Number(std::string_view key, double value) {
  return Put(key, std::isfinite(value) ? fmt::format("{}", value) : "null");
}

JsonWriter& JsonWriter::Bool(std::string_view key, bool value) { return Put(key, value ? "true" : "false"); }

}  // namespace lq::cli
