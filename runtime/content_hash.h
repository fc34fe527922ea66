// ContentHash: 64 bits that tell contents apart, at the speed of memory. No defence against someone who wants two
// contents to have the same.
#ifndef LANEQUANT_RUNTIME_CONTENT_HASH_H_
#define LANEQUANT_RUNTIME_CONTENT_HASH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace lq {

class ContentHash {
 public:
  // Each call adds its length too: what is split elsewhere differs.
  void Add(std::span<const std::byte> bytes) {
    size_t i = 0;
    // Each lane waits for its multiplication: with four of them a core hashes 20 GB/s.
    for (; i + 32 <= bytes.size(); i += 32) {
      lanes_[0] = Mix(lanes_[0], Word(&bytes[i], 8));
      lanes_[1] = Mix(lanes_[1], Word(&bytes[i + 8], 8));
      lanes_[2] = Mix(lanes_[2], Word(&bytes[i + 16], 8));
      lanes_[3] = Mix(lanes_[3], Word(&bytes[i + 24], 8));
    }
    for (; i + 8 <= bytes.size(); i += 8) lanes_[0] = Mix(lanes_[0], Word(&bytes[i], 8));
    if (i < bytes.size()) lanes_[1] = Mix(lanes_[1], Word(&bytes[i], bytes.size() - i));
    AddNumber(bytes.size());
  }
  template <class T>
  void AddArray(const std::vector<T>& values) {
    Add(std::as_bytes(std::span(values)));
  }
  template <class T>
  void AddNumber(T value) {
    static_assert(std::is_arithmetic_v<T>);
    uint64_t word = 0;
    std::memcpy(&word, &value, sizeof(value));
    lanes_[2] = Mix(lanes_[2], word);
  }

  uint64_t value() const {
    uint64_t hash = 0;
    for (uint64_t lane : lanes_) hash = Mix(hash, lane);
    return hash ^ hash >> 29;
  }

 private:
  static uint64_t Word(const std::byte* from, size_t count) {
    uint64_t word = 0;
    std::memcpy(&word, from, count);
    return word;
  }
  // Both steps are reversible: two inputs that differ in one word never meet.
  static uint64_t Mix(uint64_t lane, uint64_t word) {
    lane = (lane ^ word) * 0x9E3779B97F4A7C15u;  // odd: 2^64 / the golden ratio
    return lane ^ lane >> 32;
  }

  std::array<uint64_t, 4> lanes_ = {1, 2, 3, 4};
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_CONTENT_HASH_H_
