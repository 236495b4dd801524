#include "core/thread_pool.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/indexed_calls.h"

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
    static ThreadPool pool;
    return pool;
  }
  ~ThreadPool() { stop(); }

  void run(int parts, detail::IndexedCalls& calls) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) {  // somebody else's job runs
      for (int i = 0; i < parts; ++i) calls.run(i);
      return;
    }
    start(compute_threads() - 1);
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

  void start(int workers) {
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
  detail::IndexedCalls* calls_ = nullptr;
  std::uint64_t jobs_ = 0;
  alignas(64) std::atomic<std::uint64_t> ticket_ = 0;
  alignas(64) std::atomic<int> done_ = 0;
};

}  // namespace

int compute_threads() { return number_of_compute_threads.load(std::memory_order_relaxed); }
void set_compute_threads(int threads) {
  constexpr int most = 31;  // parts of a job are bits of a word
  number_of_compute_threads.store(std::clamp(threads, 1, most), std::memory_order_relaxed);
}

UseComputeThreads::UseComputeThreads() : outer_(std::exchange(use_in_team, true)) {}
UseComputeThreads::~UseComputeThreads() { use_in_team = outer_; }

WithoutComputeThreads::WithoutComputeThreads() : outer_(std::exchange(inside_part, true)) {}
WithoutComputeThreads::~WithoutComputeThreads() { inside_part = outer_; }

void detail::run_parts(int parts, void (*body)(void*, int), void* context) {
  if (parts <= 1 || compute_threads() <= 1 || inside_part || (omp_in_parallel() && !use_in_team)) {
    for (int i = 0; i < parts; ++i) body(context, i);
    return;
  }
  IndexedCalls calls{.body = body, .context = context};
  ThreadPool::instance().run(parts, calls);
  if (calls.error) std::rethrow_exception(calls.error);
}

}  // namespace goalpost
