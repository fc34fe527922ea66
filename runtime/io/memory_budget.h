// MemoryBudget: what the contents of a file may take in memory, so that a small hostile file cannot ask for all of it.
#ifndef LANEQUANT_RUNTIME_IO_MEMORY_BUDGET_H_
#define LANEQUANT_RUNTIME_IO_MEMORY_BUDGET_H_

#include <unistd.h>

#include <cstdint>
#include <string>

#include "lanequant/status.h"

namespace lq {

class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t bytes = HalfOfMemory()) : bytes_(bytes), left_(bytes) {}

  // Half of the machine's memory: the system still grants it, and the other half is left for packed weights.
  static uint64_t HalfOfMemory() {
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return uint64_t{1} << 32;
    return static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) / 2;
  }

  // Error: `owner` asks for more than is left.
  Status Take(const std::string& owner, uint64_t bytes) {
    if (bytes > left_) {
      return InvalidArgument(owner + ": needs " + std::to_string(bytes) + " bytes of memory, but " +
                             std::to_string(left_) + " are left of the " + std::to_string(bytes_) +
                             " that this file may take");
    }
    left_ -= bytes;
    return OkStatus();
  }

 private:
  uint64_t bytes_, left_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_MEMORY_BUDGET_H_
