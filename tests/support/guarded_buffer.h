// Memory that ends at (or begins after) an unreadable page: a kernel that touches one byte too many dies at once. Finds
// over-reads of vector code that AddressSanitizer does not see.
#ifndef LANEQUANT_TESTS_SUPPORT_GUARDED_BUFFER_H_
#define LANEQUANT_TESTS_SUPPORT_GUARDED_BUFFER_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>

namespace lq::testing {

enum class Guard { kAfter, kBefore };

template <class T>
class GuardedBuffer {
 public:
  // `count` elements flush against the guard page, filled with 0xA5. Alignment is what the size leaves (kAfter), or a
  // page (kBefore).
  explicit GuardedBuffer(size_t count, Guard guard = Guard::kAfter) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t body = (count * sizeof(T) + page - 1) / page * page;
    mapped_ = body + 2 * page;
    base_ = static_cast<std::byte*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_, page, PROT_NONE) != 0 ||
        mprotect(base_ + page + body, page, PROT_NONE) != 0) {
      std::abort();
    }
    std::memset(base_ + page, 0xA5, body);
    std::byte* start = base_ + page + (guard == Guard::kAfter ? body - count * sizeof(T) : 0);
    data_ = reinterpret_cast<T*>(start);
  }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;
  ~GuardedBuffer() { munmap(base_, mapped_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }
  operator std::span<T>() { return {data_, count_}; }              // NOLINT(google-explicit-constructor)
  operator std::span<const T>() const { return {data_, count_}; }  // NOLINT(google-explicit-constructor)

 private:
  size_t count_, mapped_ = 0;
  std::byte* base_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_GUARDED_BUFFER_H_
