// How many CPUs this process may use: its affinity mask, and the quota that a container sets.
#ifndef LANEQUANT_RUNTIME_CPU_LIMIT_H_
#define LANEQUANT_RUNTIME_CPU_LIMIT_H_

#include <cstddef>
#include <string>

namespace lq {

// CPUs in the affinity mask of the calling thread, at least 1.
size_t AffinityCpus();

// The smallest CPU quota of the process's cgroup and its ancestors, rounded up to whole CPUs; 0 where there is none.
// `membership` is the file /proc/self/cgroup, `mount` the folder /sys/fs/cgroup; versions 1 and 2.
size_t CgroupCpus(const std::string& membership, const std::string& mount);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_CPU_LIMIT_H_
