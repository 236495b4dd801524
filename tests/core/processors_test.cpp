#include "core/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <limits>
#include <string>

#include "support/temporary_directory.h"

namespace goalpost::test {
namespace {

TEST(UsableProcessors, AreThoseOfTheAffinity) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &before)) {
      CPU_SET(i, &one);
      break;
    }
  EXPECT_LE(usable_processors(), CPU_COUNT(&before));
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_processors(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(UsableProcessors, AreLimitedByTheControlGroupAndThoseAboveIt) {
  const TemporaryDirectory root;
  const std::string path = root.path().string();
  const int none = std::numeric_limits<int>::max();
  std::filesystem::create_directories(root / "a/b");
  EXPECT_EQ(detail::control_group_processors("0::/a/b\n", path), none);
  set_content(root / "a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(detail::control_group_processors("0::/a/b\n", path), none);
  set_content(root / "a/cpu.max", "250000 100000\n");
  EXPECT_EQ(detail::control_group_processors("0::/a/b\n", path), 2);
  set_content(root / "a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(detail::control_group_processors("0::/a/b\n", path), 1);
  set_content(root / "cpu.max", "300000 100000\n");
  EXPECT_EQ(detail::control_group_processors("0::/\n", path), 3);
  EXPECT_EQ(detail::control_group_processors("0::/of the host\n", path), 3);
  EXPECT_EQ(detail::control_group_processors("", path), none);

  std::filesystem::create_directories(root / "cpu/job");  // version 1
  set_content(root / "cpu/cpu.cfs_quota_us", "-1\n");
  set_content(root / "cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(detail::control_group_processors("3:memory:/x\n4:cpu,cpuacct:/job\n", path), none);
  set_content(root / "cpu/job/cpu.cfs_quota_us", "400000\n");
  set_content(root / "cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(detail::control_group_processors("3:memory:/x\n4:cpu,cpuacct:/job\n", path), 4);
}

}  // namespace
}  // namespace goalpost::test
