#include "runtime/cpu_limit.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "lanequant/executor.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::TempFolder;

TEST(CpuLimit, AffinityMaskCounts) {
  size_t cpus = 0, threads = 0;
  std::thread([&] {  // the mask is the thread's own
    cpu_set_t all, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
    EXPECT_EQ(AffinityCpus(), static_cast<size_t>(CPU_COUNT(&all)));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    cpus = AffinityCpus();
    threads = DefaultThreads();
  })
      .join();
  EXPECT_EQ(cpus, 1u);
  EXPECT_EQ(threads, 1u);
}

size_t Version2(const std::string& cpu_max) {
  const TempFolder folder;
  folder.Write("fs/pod/box/cpu.max", cpu_max);
  return CgroupCpus(folder.Write("cgroup", "0::/pod/box\n"), folder / "fs");
}

TEST(CpuLimit, QuotaOfVersion2IsRoundedUp) {
  EXPECT_EQ(Version2("200000 100000\n"), 2u);
  EXPECT_EQ(Version2("200001 100000\n"), 3u);
  EXPECT_EQ(Version2("1000 100000\n"), 1u);
  EXPECT_EQ(Version2("max 100000\n"), 0u);
  EXPECT_EQ(Version2(""), 0u);
}

TEST(CpuLimit, SmallestQuotaOfTheAncestorsHolds) {
  const TempFolder folder;
  const std::string membership = folder.Write("cgroup", "0::/pod/box\n");
  folder.Write("fs/pod/box/cpu.max", "max 100000\n");
  folder.Write("fs/pod/cpu.max", "300000 100000\n");
  EXPECT_EQ(CgroupCpus(membership, folder / "fs"), 3u);
  folder.Write("fs/cpu.max", "150000 50000\n");
  EXPECT_EQ(CgroupCpus(membership, folder / "fs"), 3u);
  folder.Write("fs/cpu.max", "100000 50000\n");
  EXPECT_EQ(CgroupCpus(membership, folder / "fs"), 2u);
}

// As docker shows it: the path is that of the host, the folder the container's own.
TEST(CpuLimit, PathThatIsNotThereFallsBackToTheMount) {
  const TempFolder folder;
  folder.Write("fs/cpu.max", "250000 100000\n");
  EXPECT_EQ(CgroupCpus(folder.Write("cgroup", "0::/host/path\n"), folder / "fs"), 3u);
}

TEST(CpuLimit, QuotaOfVersion1) {
  const TempFolder folder;
  folder.Write("fs/cpu,cpuacct/box/cpu.cfs_quota_us", "350000\n");
  folder.Write("fs/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  folder.Write("fs/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  folder.Write("fs/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  const std::string lines = "5:cpuset:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n0::/box\n";
  EXPECT_EQ(CgroupCpus(folder.Write("cgroup", lines), folder / "fs"), 4u);
  EXPECT_EQ(CgroupCpus(folder.Write("cgroup", "5:cpuset:/box\n"), folder / "fs"), 0u);
}

TEST(CpuLimit, FilesThatAreNotThereSetNone) {
  const TempFolder folder;
  EXPECT_EQ(CgroupCpus(folder / "cgroup", folder / "fs"), 0u);
  EXPECT_EQ(CgroupCpus(folder.Write("cgroup", "nonsense\n\n:\n0:"), folder / "fs"), 0u);
  EXPECT_GE(DefaultThreads(), 1u);
}

}  // namespace
}  // namespace lq
