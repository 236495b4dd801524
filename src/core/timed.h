#pragma once

#include <chrono>

namespace goalpost {

/// f(), with the wall-clock seconds that it takes added to `seconds`, also if it throws. @alloc none
template <class F>
decltype(auto) timed(double& seconds, F&& f) {
  using Clock = std::chrono::steady_clock;
  struct Stopwatch {
    double& seconds;
    const Clock::time_point start = Clock::now();
    ~Stopwatch() { seconds += std::chrono::duration<double>(Clock::now() - start).count(); }
  };
  const Stopwatch stopwatch{seconds};
  return f();
}

}  // namespace goalpost
