#include "core/thread_pool.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/parallel.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

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

}  // namespace
}  // namespace goalpost::test
