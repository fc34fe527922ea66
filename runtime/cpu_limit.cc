#include "runtime/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <vector>

namespace lq {
namespace {

// The limits of one cgroup; a file that is missing or says "max" or -1 sets none.
struct Quota {
  int64_t microseconds = -1, period = -1;

  size_t Cpus() const {
    if (microseconds <= 0 || period <= 0) return 0;
    return static_cast<size_t>((microseconds - 1) / period + 1);
  }
};

Quota ReadVersion2(const std::string& folder) {
  Quota quota;
  std::ifstream(folder + "/cpu.max") >> quota.microseconds >> quota.period;
  return quota;
}

Quota ReadVersion1(const std::string& folder) {
  Quota quota;
  std::ifstream(folder + "/cpu.cfs_quota_us") >> quota.microseconds;
  std::ifstream(folder + "/cpu.cfs_period_us") >> quota.period;
  return quota;
}

// The smallest quota of `mount` + `path` and every folder above it down to `mount`. A container sees its own group as
// `mount` while `path` may be the one outside: folders that do not exist set no limit.
size_t SmallestQuota(const std::string& mount, std::string path, Quota (*read)(const std::string&)) {
  size_t smallest = 0;
  for (;;) {
    const size_t cpus = read(mount + path).Cpus();
    if (cpus != 0 && (smallest == 0 || cpus < smallest)) smallest = cpus;
    if (path.empty()) return smallest;
    const size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
}

bool Lists(const std::string& controllers, const std::string& name) {
  return ("," + controllers + ",").find("," + name + ",") != std::string::npos;
}

size_t Smaller(size_t a, size_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

}  // namespace

size_t AffinityCpus() {
  // The kernel refuses a mask that is smaller than its own; the number of CPUs that it may have is not known here.
  for (size_t sets = 1; sets <= 64; sets *= 2) {
    std::vector<cpu_set_t> mask(sets);
    if (sched_getaffinity(0, sets * sizeof(cpu_set_t), mask.data()) == 0) {
      return std::max<size_t>(1, static_cast<size_t>(CPU_COUNT_S(sets * sizeof(cpu_set_t), mask.data())));
    }
    if (errno != EINVAL) break;
  }
  return 1;
}

size_t CgroupCpus(const std::string& membership, const std::string& mount) {
  // Lines "ID:CONTROLLERS:PATH"; version 2 has one line, with ID 0 and no controllers.
  size_t smallest = 0;
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      smallest = Smaller(smallest, SmallestQuota(mount, path, ReadVersion2));
      smallest = Smaller(smallest, SmallestQuota(mount + "/unified", path, ReadVersion2));
    } else if (Lists(controllers, "cpu")) {
      smallest = Smaller(smallest, SmallestQuota(mount + "/" + controllers, path, ReadVersion1));
      smallest = Smaller(smallest, SmallestQuota(mount + "/cpu", path, ReadVersion1));
    }
  }
  return smallest;
}

}  // namespace lq
