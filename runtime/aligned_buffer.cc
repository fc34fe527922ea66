#include "runtime/aligned_buffer.h"

#include <fmt/format.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstring>
#include <limits>
#include <new>

namespace lq {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// From here on a matrix touches so many 4 KiB pages that address translation shows: 16 MiB of int8 weights, one row,
// 240 us with small pages and 217 us with huge ones (Zen 4).
constexpr size_t kHugeBytes = 2 * kHugePage;

}  // namespace

void AlignedBuffer::Free::operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{alignment}); }

AlignedBuffer::AlignedBuffer(size_t bytes, bool zeroed) {
  if (bytes > std::numeric_limits<ptrdiff_t>::max()) return;
  const size_t alignment = bytes >= kHugeBytes ? kHugePage : kAlignment;
  const size_t rounded = RoundUp(bytes, kAlignment);
  void* memory = ::operator new (rounded, std::align_val_t{alignment}, std::nothrow);
  if (memory == nullptr) return;
  data_ = std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(memory), Free(alignment));
  size_ = bytes;
#if defined(__linux__)
  // Advice only: where the system has no huge pages nothing changes. It must come before the first touch.
  if (alignment == kHugePage) (void)madvise(data_.get(), rounded / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  if (zeroed) std::memset(data_.get(), 0, rounded);
}

Result<AlignedBuffer> AlignedBuffer::Make(const std::string& owner, size_t bytes, bool zeroed) {
  AlignedBuffer buffer(bytes, zeroed);
  if (buffer.size() == bytes) return buffer;
  return InvalidArgument(fmt::format("{}: needs {} bytes of memory, which the system does not have", owner, bytes));
}

}  // namespace lq
