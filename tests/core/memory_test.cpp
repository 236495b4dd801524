#include "core/memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "support/temporary_directory.h"

namespace goalpost::test {
namespace {

class MemoryLeft : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((dir_.path() / name).parent_path());
    std::ofstream(dir_.path() / name) << text;
  }
  void SetUp() override {
    write("proc/meminfo", "MemTotal: 16000 kB\nMemFree: 1 kB\nMemAvailable:    8000 kB\nSwapFree: 2000 kB\n");
  }
  void expect_left(std::uint64_t bytes, const std::string& source) {
    const MemoryLimit limit = memory_left(dir_.path().string());
    EXPECT_EQ(limit.bytes, bytes);
    EXPECT_EQ(limit.source, source);
  }

  TemporaryDirectory dir_;
};

TEST_F(MemoryLeft, IsWhatIsAvailableWithSwap) { expect_left(10'000 * 1024, "available memory"); }

TEST_F(MemoryLeft, IsNoMoreThanAControlGroupOfVersion2AndThoseAboveItHaveLeft) {
  write("proc/self/cgroup", "0::/slice/job\n");
  write("sys/fs/cgroup/slice/job/memory.max", "max\n");
  expect_left(10'000 * 1024, "available memory");
  write("sys/fs/cgroup/slice/memory.max", "5000000\n");
  write("sys/fs/cgroup/slice/memory.current", "3000000\n");
  write("sys/fs/cgroup/slice/memory.stat", "anon 2000000\ninactive_file 500000\nactive_file 500000\n");
  expect_left(2'500'000, "the control group's memory.max");
  write("sys/fs/cgroup/slice/job/memory.max", "1000000\n");
  expect_left(1'000'000, "the control group's memory.max");
  write("sys/fs/cgroup/slice/job/memory.current", "1000001\n");
  expect_left(0, "the control group's memory.max");
}

TEST_F(MemoryLeft, FindsTheLimitOfAContainerAtTheMountPoint) {
  write("proc/self/cgroup", "0::/not/visible/from/inside\n");
  write("sys/fs/cgroup/memory.max", "4000000\n");
  expect_left(4'000'000, "the control group's memory.max");
}

TEST_F(MemoryLeft, IsNoMoreThanAControlGroupOfVersion1HasLeft) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/a\n9:hugetlb,memory:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3000000\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1000000\n");
  write("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 200000\n");
  expect_left(2'200'000, "the control group's memory.limit_in_bytes");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");  // none
  expect_left(10'000 * 1024, "available memory");
}

TEST(MemoryNeed, NamesItsPartsAndBothNumbersIfItDoesNotFit) {
  MemoryNeed need;
  need.add("replay buffer", 136, 150'000'000);
  need.add("recorder", 0);
  need.add("environments", 250'000'000, 60);
  need.add("environments", 250'000'000, 40);
  EXPECT_EQ(need.bytes(), 45'400'000'000u);
  EXPECT_EQ(need.problem({45'400'000'000u, "available memory"}), "");
  EXPECT_EQ(need.problem({16'000'000'000u, "available memory"}),
            "needs 45.4 GB of memory (environments 25.0 GB, replay buffer 20.4 GB), but only 16.0 GB are left "
            "(available memory)");
}

TEST(MemoryNeed, StopsAtTheLargestNumber) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  MemoryNeed need;
  need.add("a", kMost / 2, 3);
  EXPECT_EQ(need.bytes(), kMost);
  need.add("b", 1);
  EXPECT_EQ(need.bytes(), kMost);
}

TEST(FormatBytes, HasOneDigitBehindThePoint) {
  EXPECT_EQ(format_bytes(17), "17 bytes");
  EXPECT_EQ(format_bytes(1'500), "1.5 kB");
  EXPECT_EQ(format_bytes(999'960), "1.0 MB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

}  // namespace
}  // namespace goalpost::test
