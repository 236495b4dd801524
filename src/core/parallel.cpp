#include "core/parallel.h"

#include <omp.h>

#include <exception>

#include "core/indexed_calls.h"

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

struct Work : IndexedCalls {
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
