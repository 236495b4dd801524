// Loops on the threads of a team (OpenMP).
#pragma once

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

}  // namespace goalpost
