#include "core/parallel.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/matrices.h"

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

}  // namespace
}  // namespace goalpost::test
