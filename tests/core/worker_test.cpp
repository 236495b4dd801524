// Sums over workers have the same bits however the workers are spread over processes and threads. The processes of a
// job are threads here.
#include "core/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/rng.h"

namespace goalpost {
namespace {

// What the processes of a job share.
struct Hub {
  explicit Hub(int ranks) : barrier(ranks), parts(static_cast<std::size_t>(ranks)) {}
  struct Part {
    std::span<const std::byte> bytes;
    std::vector<std::size_t> sizes;
  };
  std::barrier<> barrier;
  std::vector<Part> parts;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Hub& hub, int rank) : hub_(hub), rank_(rank) {}
  int rank() const override { return rank_; }
  int ranks() const override { return static_cast<int>(hub_.parts.size()); }
  void all_gather(std::span<const std::byte> mine, std::span<const std::size_t> sizes,
                  std::span<std::byte> all) override {
    own().bytes = mine;
    EXPECT_EQ(sizes[static_cast<std::size_t>(rank_)], mine.size());
    hub_.barrier.arrive_and_wait();
    std::byte* to = all.data();
    for (const Hub::Part& part : hub_.parts) to = std::copy(part.bytes.begin(), part.bytes.end(), to);
    EXPECT_EQ(to, all.data() + all.size());
    hub_.barrier.arrive_and_wait();
  }
  void all_to_all(std::span<const std::byte> out, std::span<const std::size_t> out_sizes, std::span<std::byte> in,
                  std::span<const std::size_t> in_sizes) override {
    own() = {out, {out_sizes.begin(), out_sizes.end()}};
    hub_.barrier.arrive_and_wait();
    std::byte* to = in.data();
    for (std::size_t r = 0; r < hub_.parts.size(); ++r) {
      std::size_t begin = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(rank_); ++k) begin += hub_.parts[r].sizes[k];
      const std::span<const std::byte> part =
          hub_.parts[r].bytes.subspan(begin, hub_.parts[r].sizes[static_cast<std::size_t>(rank_)]);
      EXPECT_EQ(part.size(), in_sizes[r]);
      to = std::copy(part.begin(), part.end(), to);
    }
    hub_.barrier.arrive_and_wait();
  }

 private:
  Hub::Part& own() { return hub_.parts[static_cast<std::size_t>(rank_)]; }
  Hub& hub_;
  int rank_;
};

// f(worker) in every worker of a run, over so many processes.
void run_workers(int workers, int ranks, int threads, const std::function<void(Worker&)>& f) {
  Hub hub(ranks);
  std::vector<std::thread> processes;
  for (int r = 0; r < ranks; ++r)
    processes.emplace_back([&, r] {
      ThreadRank rank(hub, r);
      WorkerTeam team(workers, threads, rank);
      team.run(f);
    });
  for (std::thread& process : processes) process.join();
}

// Numbers of so different sizes that the order in which they are added shows.
std::vector<Scalar> numbers_of(int worker, std::size_t n) {
  Rng rng = Rng(5).stream("numbers", static_cast<std::uint64_t>(worker));
  std::vector<Scalar> numbers(n);
  for (Scalar& x : numbers) x = rng.normal() * std::pow(Scalar(10), rng.uniform(-4, 4));
  return numbers;
}

// The tree from its definition: halves at the largest power of two below the number of workers.
std::vector<Scalar> tree_sum(int first, int count, std::size_t n) {
  if (count == 1) return numbers_of(first, n);
  int half = 1;
  while (2 * half < count) half *= 2;
  std::vector<Scalar> sum = tree_sum(first, half, n);
  const std::vector<Scalar> other = tree_sum(first + half, count - half, n);
  for (std::size_t i = 0; i < n; ++i) sum[i] += other[i];
  return sum;
}

TEST(Worker, SumsHaveTheSameBitsForAnyProcessesAndThreads) {
  constexpr std::size_t kNumbers = 3000;  // several slices
  for (const int workers : {2, 3, 5, 8, 19}) {
    const std::vector<Scalar> expected = tree_sum(0, workers, kNumbers);
    for (const int ranks : {1, 2, 3, 4}) {
      for (const int threads : {1, 3}) {
        if (ranks > workers) continue;
        SCOPED_TRACE(detail::concatenate(workers, " workers, ", ranks, " processes, ", threads, " threads"));
        std::atomic<int> equal = 0;
        run_workers(workers, ranks, threads, [&](Worker& worker) {
          EXPECT_EQ(this_worker(), &worker);
          for (int repeat = 0; repeat < 3; ++repeat) {
            std::vector<Scalar> numbers = numbers_of(worker.index(), kNumbers);
            const std::span<Scalar> all(numbers);
            const std::vector<std::span<Scalar>> parts = {all.first(7), all.subspan(7, 2000), all.subspan(2007)};
            worker.sum(parts);
            equal += numbers == expected;
          }
        });
        EXPECT_EQ(equal, 3 * workers);
      }
    }
  }
  EXPECT_EQ(this_worker(), nullptr);
}

TEST(Worker, TheOrderOfAdditionsShowsInTheseNumbers) {
  const std::vector<Scalar> tree = tree_sum(0, 8, 100);
  std::vector<Scalar> in_turn = numbers_of(0, 100);
  for (int w = 1; w < 8; ++w)
    for (std::size_t i = 0; i < 100; ++i) in_turn[i] += numbers_of(w, 100)[i];
  EXPECT_NE(tree, in_turn);
}

TEST(Worker, SumsOfDoublesFollowTheSameTree) {
  std::vector<double> expected(4);
  const auto number = [](int w, std::size_t i) {
    return std::pow(10., w * 3 - 9) + 1. / (1. + w + 2. * static_cast<double>(i));
  };
  for (std::size_t i = 0; i < 4; ++i)  // ((0 + 1) + (2 + 3)) + 4
    expected[i] = ((number(0, i) + number(1, i)) + (number(2, i) + number(3, i))) + number(4, i);
  for (const int ranks : {1, 2, 5}) {
    std::atomic<int> equal = 0;
    run_workers(5, ranks, 2, [&](Worker& worker) {
      std::vector<double> numbers(4);
      for (std::size_t i = 0; i < 4; ++i) numbers[i] = number(worker.index(), i);
      worker.sum(numbers);
      equal += numbers == expected;
    });
    EXPECT_EQ(equal, 5) << ranks;
  }
}

TEST(Worker, GathersInTheOrderOfTheWorkers) {
  for (const int ranks : {1, 3}) {
    std::atomic<int> equal = 0;
    run_workers(7, ranks, 2, [&](Worker& worker) {
      EXPECT_EQ(worker.count(), 7);
      const std::vector<int> mine = {worker.index(), -worker.index()};
      std::vector<int> all;
      worker.gather(std::span<const int>(mine), all);
      equal += all == std::vector<int>{0, 0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6};
      const std::vector<std::string> texts =
          worker.gather_texts(std::string(static_cast<std::size_t>(worker.index()), 'x'));
      equal += texts == std::vector<std::string>{"", "x", "xx", "xxx", "xxxx", "xxxxx", "xxxxxx"};
    });
    EXPECT_EQ(equal, 14) << ranks;
  }
}

TEST(Worker, NoMoreRunAtATimeThanThereAreThreads) {
  std::atomic<int> running = 0, most = 0;
  run_workers(6, 1, 2, [&](Worker& worker) {
    for (int i = 0; i < 20; ++i) {
      most = std::max(most.load(), ++running);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      --running;
      worker.wait();
    }
  });
  EXPECT_EQ(most, 2);
}

TEST(Worker, AnExceptionOfOneEndsAll) {
  WorkerTeam team(4, 2);
  const auto fails = [](Worker& worker) {
    for (int i = 0; i < 10; ++i) {
      if (i == 5 && worker.index() == 2) throw std::runtime_error("worker 2 has failed");
      worker.wait();
    }
  };
  try {
    team.run(fails);
    FAIL() << "expected an exception";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "worker 2 has failed");
  }
  int calls = 0;  // the team can be used again
  team.run([&](Worker& worker) {
    worker.wait();
    if (worker.index() == 0) ++calls;
  });
  EXPECT_EQ(calls, 1);
  EXPECT_THROW(team.run([](Worker& worker) {
    if (worker.index() != 1) worker.wait();
  }),
               std::logic_error);
}

TEST(Worker, OneAloneIsNoWorker) {
  WorkerTeam team(1);
  team.run([](Worker& worker) {
    EXPECT_EQ(this_worker(), nullptr);
    EXPECT_EQ(worker.count(), 1);
  });
}

TEST(Worker, ARunNeedsAWorkerForEveryProcess) {
  Hub hub(3);
  ThreadRank rank(hub, 0);
  try {
    WorkerTeam team(2, 1, rank);
    FAIL() << "expected an exception";
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "WorkerTeam: 2 workers, 3 processes; expected at least a worker for each");
  }
}

}  // namespace
}  // namespace goalpost
