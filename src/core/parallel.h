#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>

namespace goalpost {

namespace detail {
void parallel_for(int n, int threads, bool even, void (*body)(void*, int), void* context);
}

/// Calls f(0), ..., f(n-1), each once, on up to `threads` threads (OpenMP). Calls must not touch each other's data, and
/// then the result does not depend on the number of threads. Of several exceptions the one of the lowest index is
/// thrown; of the others none may have run. For long calls, as steps of environments are: it waits for every thread of
/// the team, also for one whose processor is busy elsewhere. @alloc none
template <class F>
void parallel_for(int n, int threads, F&& f) {
  detail::parallel_for(
      n, threads, true, [](void* context, int i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); }, &f);
}

/// The same for calls of unequal length: a thread that is done takes the lowest index left.
template <class F>
void parallel_for_uneven(int n, int threads, F&& f) {
  detail::parallel_for(
      n, threads, false, [](void* context, int i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); }, &f);
}

/// How many processors this process may use: those of its affinity, at most the limit of its control groups, at
/// least 1.
int usable_processors();

namespace detail {
/// The limit of control groups (version 2: cpu.max; 1: cpu.cfs_quota_us), rounded down; the largest int if there is
/// none.
/// @param self what /proc/self/cgroup holds @param root where the groups are mounted, /sys/fs/cgroup
int control_group_processors(const std::string& self, const std::string& root);
}  // namespace detail

/// How many threads products and updates use: 1 at the start, at most 31. Results do not depend on it.
int compute_threads();
void set_compute_threads(int threads);

namespace detail {
void run_parts(int parts, void (*body)(void*, int), void* context);
}

/// f(0), ..., f(parts - 1), each once, by the caller and the compute threads: for parts of some microseconds that
/// follow each other closely, as the products of an update do. Whoever is free takes the next part, so that a thread
/// whose processor is busy with something else holds nobody up before it has taken one. Within a part, and within a
/// call of parallel_for without UseComputeThreads, it is a plain loop. Otherwise like parallel_for.
/// @pre parts <= 31 @alloc none after the first call with this number of compute threads
template <class F>
void run_parts(int parts, F&& f) {
  detail::run_parts(
      parts, [](void* context, int i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); }, &f);
}

/// While it lives, run_parts in this thread has the compute threads also within a call of parallel_for: for one long
/// call of a team, as an update is beside steps of environments.
class UseComputeThreads {
 public:
  UseComputeThreads();
  ~UseComputeThreads();
  UseComputeThreads(const UseComputeThreads&) = delete;
  UseComputeThreads& operator=(const UseComputeThreads&) = delete;

 private:
  bool outer_;
};

/// f(first, count) for disjoint parts that make up 0, ..., size - 1, on the compute threads: multiples of `grain`, of
/// at least `least` elements on average. For work that treats each element alone, so that the parts do not show in the
/// result.
template <class F>
void in_parts(std::ptrdiff_t size, std::ptrdiff_t grain, std::ptrdiff_t least, F&& f) {
  const std::ptrdiff_t grains = (size + grain - 1) / grain, threads = compute_threads();
  const std::ptrdiff_t parts = std::min({threads, size / std::max<std::ptrdiff_t>(least, 1), grains});
  if (parts <= 1) return f(std::ptrdiff_t(0), size);
  run_parts(static_cast<int>(parts), [&](int i) {
    const std::ptrdiff_t first = grains * i / parts * grain, last = std::min(size, grains * (i + 1) / parts * grain);
    f(first, last - first);
  });
}

}  // namespace goalpost
