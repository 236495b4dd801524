#include "core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/matrices.h"
#include "support/temporary_directory.h"

namespace goalpost::test {
namespace {

TEST(ParallelFor, CallsEveryIndexOnce) {
  for (const int threads : {1, 2, 4, 7}) {
    for (const int n : {0, 1, 2, 5, 100}) {
      std::vector<int> calls(static_cast<std::size_t>(n));
      parallel_for(n, threads, [&](int i) { ++calls[static_cast<std::size_t>(i)]; });
      parallel_for_uneven(n, threads, [&](int i) { ++calls[static_cast<std::size_t>(i)]; });
      EXPECT_THAT(calls, ::testing::Each(2)) << n << " with " << threads << " threads";
    }
  }
}

TEST(ParallelFor, ResultsAreVisibleAfterTheJoinAndInputsInside) {
  std::vector<int> input(64), output(64);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 64; ++i) input[static_cast<std::size_t>(i)] = round + i;
    parallel_for(64, 4, [&](int i) { output[static_cast<std::size_t>(i)] = 2 * input[static_cast<std::size_t>(i)]; });
    for (int i = 0; i < 64; ++i) ASSERT_EQ(output[static_cast<std::size_t>(i)], 2 * (round + i));
  }
}

TEST(ParallelFor, RunsOnSeveralThreadsOnlyWhenAsked) {
  const auto team = [](int threads) {
    std::vector<std::thread::id> ids(8);
    parallel_for(8, threads, [&](int i) { ids[static_cast<std::size_t>(i)] = std::this_thread::get_id(); });
    return std::set(ids.begin(), ids.end());
  };
  EXPECT_EQ(team(1), std::set{std::this_thread::get_id()});
  EXPECT_EQ(team(4).size(), 4u);
}

TEST(ParallelFor, ThrowsTheExceptionOfTheLowestIndex) {
  for (const int threads : {1, 2, 4}) {
    EXPECT_THROW_MESSAGE(parallel_for(20, threads,
                                      [](int i) {
                                        if (i % 5 == 3) throw std::runtime_error("index " + std::to_string(i));
                                      }),
                         std::runtime_error, "index 3");
  }
}

TEST(ParallelFor, WorksAgainAfterAnException) {
  EXPECT_ANY_THROW(parallel_for(4, 2, [](int) { throw 1; }));
  std::atomic<int> calls = 0;
  parallel_for(4, 2, [&](int) { ++calls; });
  EXPECT_EQ(calls, 4);
}

class ComputeThreads {
 public:
  explicit ComputeThreads(int threads) { set_compute_threads(threads); }
  ~ComputeThreads() { set_compute_threads(1); }
};

TEST(RunParts, CallsEveryPartOnceAndShowsWhatWasWritten) {
  for (const int threads : {1, 2, 3, 2, 5}) {  // threads come and go
    const ComputeThreads use(threads);
    std::vector<int> input(7), output(7);
    for (int round = 0; round < 300; ++round) {
      const int parts = 1 + round % 7;
      for (int& x : input) x = round;
      std::fill(output.begin(), output.end(), 0);
      run_parts(parts, [&](int i) { output[static_cast<std::size_t>(i)] += input[static_cast<std::size_t>(i)] + i; });
      for (int i = 0; i < 7; ++i) ASSERT_EQ(output[static_cast<std::size_t>(i)], i < parts ? round + i : 0);
      if (round % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // long enough to fall asleep
    }
  }
}

TEST(RunParts, ThrowsTheExceptionOfTheLowestPartAndWorksAgain) {
  const ComputeThreads use(3);
  EXPECT_THROW_MESSAGE(run_parts(6,
                                 [](int i) {
                                   if (i >= 2) throw std::runtime_error("part " + std::to_string(i));
                                 }),
                       std::runtime_error, "part 2");
  std::atomic<int> calls = 0;
  run_parts(6, [&](int) { ++calls; });
  EXPECT_EQ(calls, 6);
}

TEST(RunParts, RunsInsideOthersWithoutWaitingForThem) {
  const ComputeThreads use(2);
  std::atomic<int> calls = 0;
  run_parts(2, [&](int) { run_parts(3, [&](int) { ++calls; }); });
  EXPECT_EQ(calls, 6);
  parallel_for(2, 2, [&](int) { run_parts(3, [&](int) { ++calls; }); });
  EXPECT_EQ(calls, 12);
}

// Both parts wait for each other, so that one thread alone would not end.
bool two_threads_meet() {
  std::atomic<int> here = 0;
  std::atomic<bool> met = true;
  run_parts(2, [&](int) {
    ++here;
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (here < 2 && met) {
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() > give_up) met = false;
    }
  });
  return met;
}

TEST(RunParts, UsesTheComputeThreadsWithinACallOfATeamThatAsksForThem) {
  const ComputeThreads use(2);
  EXPECT_TRUE(two_threads_meet());
  std::atomic<int> met = 0;
  parallel_for_uneven(4, 2, [&](int i) {
    if (i > 0) return;
    const UseComputeThreads in_team;
    met += two_threads_meet();
  });
  EXPECT_EQ(met, 1);
}

TEST(InParts, CoversEverythingOnceInMultiplesOfTheGrain) {
  for (const int threads : {1, 2, 3}) {
    const ComputeThreads use(threads);
    for (const std::ptrdiff_t size : {0, 1, 15, 16, 17, 100}) {
      std::vector<int> calls(static_cast<std::size_t>(size));
      in_parts(size, 8, 1, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
        EXPECT_EQ(first % 8, 0);
        for (std::ptrdiff_t i = first; i < first + count; ++i) ++calls[static_cast<std::size_t>(i)];
      });
      EXPECT_THAT(calls, ::testing::Each(1)) << size << " with " << threads << " threads";
    }
  }
}

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
