// A table of a golden npz file: arrays called TABLE.COLUMN, read one after the other as cases need them.
#ifndef LANEQUANT_TESTS_SUPPORT_GOLDEN_TABLE_H_
#define LANEQUANT_TESTS_SUPPORT_GOLDEN_TABLE_H_

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "runtime/io/npz.h"
#include "tests/support/temp_folder.h"

namespace lq::testing {

class GoldenTable {
 public:
  // `file` below tests/golden.
  GoldenTable(const std::string& file, const std::string& table) {
    const Result<std::vector<NamedArray>> arrays = ReadNpz(GoldenPath(file));
    EXPECT_TRUE(arrays.ok()) << arrays.status().message();
    if (!arrays.ok()) return;
    for (const NamedArray& array : *arrays) {
      if (array.name.starts_with(table + ".")) columns_[array.name.substr(table.size() + 1)] = {array, 0};
    }
  }

  // Row `i` of the two-dimensional int64 array TABLE.meta.
  std::vector<int64_t> Meta(size_t i) const {
    const NamedArray& meta = columns_.at("meta").array;
    std::vector<int64_t> row(static_cast<size_t>(meta.shape[1]));
    std::memcpy(row.data(), meta.bytes.data() + i * row.size() * 8, row.size() * 8);
    return row;
  }
  size_t rows() const { return static_cast<size_t>(columns_.at("meta").array.shape[0]); }

  // The next `count` elements of a column.
  template <class T>
  std::vector<T> Take(const std::string& column, size_t count) {
    Column& from = columns_.at(column);
    std::vector<T> values(count);
    EXPECT_EQ(SizeOf(from.array.dtype), sizeof(T)) << column;
    EXPECT_LE(from.next + count * sizeof(T), from.array.bytes.size()) << column;
    if (count > 0) std::memcpy(values.data(), from.array.bytes.data() + from.next, count * sizeof(T));
    from.next += count * sizeof(T);
    return values;
  }
  // Whether every column was read to its end.
  bool AllTaken() const {
    for (const auto& [name, column] : columns_) {
      if (name != "meta" && column.next != column.array.bytes.size()) return false;
    }
    return true;
  }

 private:
  struct Column {
    NamedArray array;
    size_t next;
  };
  std::map<std::string, Column> columns_;
};

// Shapes and the like in a row of Meta: their length, then four numbers.
inline std::vector<int64_t> TakeDims(const std::vector<int64_t>& row, size_t& column) {
  const auto begin = row.begin() + static_cast<ptrdiff_t>(column);
  column += 5;
  return {begin + 1, begin + 1 + *begin};
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_GOLDEN_TABLE_H_
