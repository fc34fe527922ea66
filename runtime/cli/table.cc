#include "runtime/cli/table.h"

#include <algorithm>

namespace lq::cli {
namespace {

constexpr size_t kGap = 2;

void Append(const std::string& cell, size_t width, Align align, std::string& line) {
  if (!line.empty()) line.append(kGap, ' ');
  const std::string padding(width - std::min(width, cell.size()), ' ');
  line += align == Align::kLeft ? cell + padding : padding + cell;
}

std::string Finish(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::vector<size_t> Table::Widths() const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(std::max<size_t>(column.title.size(), 1));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  return widths;
}

size_t Table::Width() const {
  size_t total = 0;
  for (size_t width : Widths()) total += width + kGap;
  return total - std::min(total, kGap);
}

std::string Table::GroupLine(const std::vector<size_t>& widths) const {
  std::string line;
  for (size_t i = 0; i < columns_.size();) {
    size_t width = widths[i], next = i + 1;
    for (; next < columns_.size() && columns_[next].group == columns_[i].group; ++next) width += kGap + widths[next];
    Append(columns_[i].group, width, Align::kLeft, line);
    i = next;
  }
  return line;
}

std::string Table::ToString() const {
  const std::vector<size_t> widths = Widths();
  std::string text;
  const bool grouped = std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.group.empty(); });
  if (grouped) text += Finish(GroupLine(widths));
  std::string line;
  for (size_t i = 0; i < columns_.size(); ++i) Append(columns_[i].title, widths[i], columns_[i].align, line);
  text += Finish(line);
  for (const auto& row : rows_) {
    line.clear();
    for (size_t i = 0; i < row.size(); ++i) Append(row[i], widths[i], columns_[i].align, line);
    text += Finish(line);
  }
  return text;
}

std::string ShortenLeft(const std::string& text, size_t width) {
  if (text.size() <= width) return text;
  return "..." + text.substr(text.size() - (width - 3));
}

}  // namespace lq::cli
