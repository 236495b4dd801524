// The compute threads: a pool for parts of some microseconds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace goalpost {

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

/// While it lives, run_parts in this thread is a plain loop: for threads of which there are as many as processors.
class WithoutComputeThreads {
 public:
  WithoutComputeThreads();
  ~WithoutComputeThreads();
  WithoutComputeThreads(const WithoutComputeThreads&) = delete;
  WithoutComputeThreads& operator=(const WithoutComputeThreads&) = delete;

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
