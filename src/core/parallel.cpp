#include "core/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

// libgomp is not built with the thread sanitizer, so its fork and join must be told to it by hand. They are two
// addresses: with one, what a thread shows to the join would also be seen by threads that start later, and races
// between them would be hidden.
#ifdef __SANITIZE_THREAD__
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#define GP_NO_TSAN __attribute__((no_sanitize("thread"), noinline))
#else
#define GP_NO_TSAN
#endif

namespace goalpost::detail {
namespace {

// Calls, and the exception of the lowest index that has thrown.
struct Calls {
  void (*body)(void*, int);
  void* context;
  std::mutex mutex = {};
  std::exception_ptr error = {};
  int error_index = std::numeric_limits<int>::max();

  void run(int i) {
    try {
      body(context, i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < error_index) {
        error_index = i;
        error = std::current_exception();
      }
    }
  }
};

struct Work : Calls {
  char fork = 0, join = 0;  // only their addresses are used
};

void before_fork([[maybe_unused]] Work* work) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(&work->fork);
#endif
}

// One index in a thread of the team: sees what happened before the fork, and shows its own writes to the join.
void run_in_team(Work* work, int i) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(&work->fork);
  work->run(i);
  __tsan_release(&work->join);
#else
  work->run(i);
#endif
}

void after_join([[maybe_unused]] Work* work) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(&work->join);
#endif
}

GP_NO_TSAN void fork_join_even(Work* work, int n, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int i = 0; i < n; ++i) run_in_team(work, i);
}

GP_NO_TSAN void fork_join_uneven(Work* work, int n, int threads) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int i = 0; i < n; ++i) run_in_team(work, i);
}

}  // namespace

void parallel_for(int n, int threads, bool even, void (*body)(void*, int), void* context) {
  if (threads <= 1 || n <= 1 || omp_in_parallel()) {  // one level of threads is enough
    for (int i = 0; i < n; ++i) body(context, i);
    return;
  }
  Work work{{.body = body, .context = context}};
  before_fork(&work);
  (even ? fork_join_even : fork_join_uneven)(&work, n, threads < n ? threads : n);
  after_join(&work);
  if (work.error) std::rethrow_exception(work.error);
}

}  // namespace goalpost::detail

namespace goalpost {
namespace {

// Tells the processor that this thread only waits.
void relax() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

std::atomic<int> number_of_compute_threads = 1;
thread_local bool inside_part = false;  // where there are no further threads to be had
thread_local bool use_in_team = false;

// The compute threads. A job's ticket is one word: its number, and a bit for each part that nobody has taken. Taking a
// part is one exchange of the ticket, which fails if the job has changed; a job ends when all parts are done, so
// whoever has taken one may read the job. Thread i takes part i if it is there, because its cache holds what it has
// made of the same columns before; what is left over it takes afterwards.
class ThreadPool {
 public:
  static ThreadPool& instance() {
    static ThreadPool crew;
    return crew;
  }
  ~ThreadPool() { stop(); }

  void run(int parts, detail::Calls& calls) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) {  // somebody else's job runs
      for (int i = 0; i < parts; ++i) calls.run(i);
      return;
    }
    hire(compute_threads() - 1);
    calls_ = &calls;
    done_.store(0, std::memory_order_relaxed);
    ticket_.store((++jobs_ << 32) | ((std::uint64_t(1) << parts) - 1));
    if (sleepers_.load() > 0) {
      wake_.fetch_add(1);
      wake_.notify_all();
    }
    while (take_one(0)) {
    }
    for (int spins = 0; done_.load(std::memory_order_acquire) < parts; ++spins) {
      if (spins < kSpins)
        relax();
      else
        std::this_thread::yield();  // the thread that has the last part may be waiting for this processor
    }
  }

 private:
  static constexpr int kSpins = 2000;  // some 50 microseconds, longer than the gaps between the products of an update

  bool take_one(int thread) {
    std::uint64_t ticket = ticket_.load();
    for (;;) {
      const auto left = static_cast<std::uint32_t>(ticket);
      if (left == 0) return false;
      const int part = (left >> thread & 1) != 0 ? thread : std::countr_zero(left);
      if (ticket_.compare_exchange_weak(ticket, ticket & ~(std::uint64_t(1) << part))) {
        inside_part = true;
        calls_->run(part);
        inside_part = false;
        done_.fetch_add(1, std::memory_order_release);
        return true;
      }
    }
  }

  void work(int thread) {
    while (!stopping_.load()) {
      bool found = false;
      for (int spins = 0; spins < kSpins && !found; ++spins) {
        found = take_one(thread);
        relax();
      }
      if (found) continue;
      const std::uint32_t before = wake_.load();
      sleepers_.fetch_add(1);
      if (!take_one(thread) && !stopping_.load()) wake_.wait(before);
      sleepers_.fetch_sub(1);
    }
  }

  void hire(int workers) {
    if (workers == static_cast<int>(workers_.size())) return;
    stop();
    stopping_ = false;
    for (int i = 1; i <= workers; ++i) workers_.emplace_back([this, i] { work(i); });
  }

  void stop() {
    stopping_ = true;
    wake_.fetch_add(1);
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::mutex mutex_;
  std::vector<std::thread> workers_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint32_t> wake_ = 0;
  std::atomic<int> sleepers_ = 0;
  detail::Calls* calls_ = nullptr;
  std::uint64_t jobs_ = 0;
  alignas(64) std::atomic<std::uint64_t> ticket_ = 0;
  alignas(64) std::atomic<int> done_ = 0;
};

}  // namespace

int detail::control_group_processors(const std::string& self, const std::string& root) {
  double least = std::numeric_limits<int>::max();
  const auto limit = [&](double quota, double period) {
    if (quota > 0 && period > 0) least = std::min(least, quota / period);
  };
  const auto look = [&](const std::filesystem::path& group) {
    std::string quota;
    double period = 0;
    if (std::ifstream in(group / "cpu.max"); in >> quota >> period && quota != "max")
      limit(std::strtod(quota.c_str(), nullptr), period);
    double micros = 0;
    std::ifstream quotas(group / "cpu.cfs_quota_us"), periods(group / "cpu.cfs_period_us");
    if (quotas >> micros && periods >> period) limit(micros, period);
  };
  std::istringstream lines(self);  // 4:cpu,cpuacct:/group of version 1, 0::/group of version 2
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    std::string controllers(1, ',');
    controllers.append(line, first + 1, second - first - 1).push_back(',');
    const bool version_2 = controllers == ",,";
    if (!version_2 && controllers.find(",cpu,") == controllers.npos) continue;
    // Every group above sets a limit too. Within a container the names may be those of the host.
    const std::filesystem::path top = version_2 ? std::filesystem::path(root) : std::filesystem::path(root) / "cpu";
    std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (; !group.empty(); group = group.parent_path()) look(top / group);
    look(top);
  }
  return least >= std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                                  : std::max(1, static_cast<int>(least));
}

int usable_processors() {
  int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  // More processors than a cpu_set_t names need a larger set.
  for (int most = 1024; most <= 1 << 20; most *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(most));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(most));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    if (known) processors = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    if (known) break;
  }
  std::ifstream in("/proc/self/cgroup");
  const std::string self{std::istreambuf_iterator<char>(in), {}};
  return std::max(1, std::min(processors, detail::control_group_processors(self, "/sys/fs/cgroup")));
}

int compute_threads() { return number_of_compute_threads.load(std::memory_order_relaxed); }
void set_compute_threads(int threads) {
  constexpr int most = 31;  // parts of a job are bits of a word
  number_of_compute_threads.store(std::clamp(threads, 1, most), std::memory_order_relaxed);
}

UseComputeThreads::UseComputeThreads() : outer_(std::exchange(use_in_team, true)) {}
UseComputeThreads::~UseComputeThreads() { use_in_team = outer_; }

void detail::run_parts(int parts, void (*body)(void*, int), void* context) {
  if (parts <= 1 || compute_threads() <= 1 || inside_part || (omp_in_parallel() && !use_in_team)) {
    for (int i = 0; i < parts; ++i) body(context, i);
    return;
  }
  Calls calls{.body = body, .context = context};
  ThreadPool::instance().run(parts, calls);
  if (calls.error) std::rethrow_exception(calls.error);
}

}  // namespace goalpost
