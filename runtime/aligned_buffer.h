// AlignedBuffer: the only owner of packed weights and run-time memory. 64-byte aligned, move-only.
#ifndef LANEQUANT_RUNTIME_ALIGNED_BUFFER_H_
#define LANEQUANT_RUNTIME_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "kernels/round_up.h"
#include "lanequant/status.h"

namespace lq {

constexpr size_t kAlignment = 64;  // a cache line, an AVX-512 vector, a row of an AMX tile

using kernels::RoundUp;

inline std::byte* AlignUp(std::byte* p) {
  return reinterpret_cast<std::byte*>(RoundUp(reinterpret_cast<uintptr_t>(p), kAlignment));
}

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Zeroed; large buffers ask for huge pages. Empty where the system has no memory for it: the library calls Make.
  explicit AlignedBuffer(size_t bytes) : AlignedBuffer(bytes, true) {}
  AlignedBuffer(AlignedBuffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // Error: what `owner` asked for and did not get.
  static Result<AlignedBuffer> Make(const std::string& owner, size_t bytes) { return Make(owner, bytes, true); }
  // Not zeroed: for whoever writes all of it, and by several threads touches it first.
  static Result<AlignedBuffer> MakeUnfilled(const std::string& owner, size_t bytes) {
    return Make(owner, bytes, false);
  }

  std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::span<std::byte> span() const { return {data_.get(), size_}; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  AlignedBuffer(size_t bytes, bool zeroed);
  static Result<AlignedBuffer> Make(const std::string& owner, size_t bytes, bool zeroed);

  struct Free {
    Free() : alignment(kAlignment) {}
    explicit Free(size_t bytes) : alignment(bytes) {}
    void operator()(std::byte* p) const;
    size_t alignment;
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_ALIGNED_BUFFER_H_
