#include "lanequant/executor.h"

#include <algorithm>

#include "runtime/cpu_limit.h"
#include "runtime/serial_executor.h"

namespace lq {

Executor& SerialExecutor() {
  static Serial executor;
  return executor;
}

size_t DefaultThreads() {
  const size_t quota = CgroupCpus("/proc/self/cgroup", "/sys/fs/cgroup");
  return quota == 0 ? AffinityCpus() : std::min(AffinityCpus(), quota);
}

}  // namespace lq
