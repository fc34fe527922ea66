#include "runtime/quantize/bulk_tasks.h"

#include <unistd.h>

#include <algorithm>

namespace lq {
namespace {

// Bytes that one tensor may count on in the last-level cache. Virtual machines report a whole socket's, of which a core
// reaches a part: 32 MiB is what a cluster of eight Zen cores shares.
size_t CacheShare() {
  constexpr size_t kCluster = size_t{32} << 20;
#ifdef _SC_LEVEL3_CACHE_SIZE
  const long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (size > 0) return std::min(static_cast<size_t>(size), kCluster);
#endif
  return kCluster;
}

}  // namespace

bool IsWorthStreaming(const ConstTensorView& in, const ConstTensorView& out) {
  static const size_t share = CacheShare();
  return in.bytes.data() != out.bytes.data() && in.bytes.size() + out.bytes.size() > share;
}

}  // namespace lq
