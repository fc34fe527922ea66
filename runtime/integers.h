// Integers: numbers of a file, in as many bytes each as they have there. Weights in 8-bit codes are most of a large
// model; 8 bytes for each would be 8 times the file.
#ifndef LANEQUANT_RUNTIME_INTEGERS_H_
#define LANEQUANT_RUNTIME_INTEGERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <span>
#include <vector>

#include "lanequant/tensor.h"

namespace lq {

class Integers {
 public:
  Integers() = default;
  Integers(std::initializer_list<int64_t> values) : Integers(std::vector<int64_t>(values)) {}
  Integers(const std::vector<int64_t>& values) { Assign(DType::kS64, values); }
  // `count` zeros. type: u8, s8, u16, s16, s32 or s64.
  Integers(DType type, size_t count) : type_(type), bytes_(count * SizeOf(type)) {}

  size_t size() const { return bytes_.size() / SizeOf(type_); }
  bool empty() const { return bytes_.empty(); }
  DType type() const { return type_; }
  int64_t operator[](size_t i) const {
    switch (type_) {
      case DType::kU8:
        return Load<uint8_t>(i);
      case DType::kS8:
        return Load<int8_t>(i);
      case DType::kU16:
        return Load<uint16_t>(i);
      case DType::kS16:
        return Load<int16_t>(i);
      case DType::kS32:
        return Load<int32_t>(i);
      default:
        return Load<int64_t>(i);
    }
  }
  void Set(size_t i, int64_t value);  // of which it keeps the low bits
  // Little endian, as in files.
  std::span<std::byte> bytes() { return bytes_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  void Assign(DType type, std::span<const int64_t> values);
  std::vector<int64_t> ToVector() const { return {begin(), end()}; }
  friend bool operator==(const Integers& a, const Integers& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = int64_t;
    using difference_type = ptrdiff_t;
    using pointer = const int64_t*;
    using reference = int64_t;

    Iterator() = default;
    Iterator(const Integers& of, size_t at) : of_(&of), at_(at) {}
    int64_t operator*() const { return (*of_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return {*of_, at_++}; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    const Integers* of_ = nullptr;
    size_t at_ = 0;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  template <class T>
  int64_t Load(size_t i) const {
    T value;
    std::memcpy(&value, bytes_.data() + i * sizeof(T), sizeof(T));
    return value;
  }

  DType type_ = DType::kS64;
  std::vector<std::byte> bytes_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_INTEGERS_H_
