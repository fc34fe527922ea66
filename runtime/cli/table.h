// Tables for a terminal: columns as wide as their contents, two spaces between them.
#ifndef LANEQUANT_RUNTIME_CLI_TABLE_H_
#define LANEQUANT_RUNTIME_CLI_TABLE_H_

#include <string>
#include <vector>

namespace lq::cli {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  std::string group;  // a line above the titles; neighbours of the same group share it
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Of the widest line.
  size_t Width() const;
  // Each line ends with a newline, none with a space.
  std::string ToString() const;

 private:
  std::vector<size_t> Widths() const;
  std::string GroupLine(const std::vector<size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// The last `width` characters, the first three of them dots where some are missing: the ends of tensor names differ
// most.
std::string ShortenLeft(const std::string& text, size_t width);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_TABLE_H_
