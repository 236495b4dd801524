// Steps per second of every registered environment, restarts included; items are steps, summed over the lanes.
#include <array>

#include "algos/noise.h"
#include "bench/support.h"
#include "envs/registry.h"
#include "envs/vector_env.h"

namespace goalpost::bench {
namespace {

struct Case {
  std::string name;
  const EnvEntry* env;
  int lanes, threads;
};

void BM_env_step(State& state, const Case& c) {
  VectorEnv env(c.env->world(*c.env->settings()), c.lanes, Rng(1), c.threads);
  std::array<Matrix, 64> actions;  // drawn beforehand: only the steps are timed
  Rng rng(2);
  for (Matrix& a : actions) {
    a.resize(env.spec().action.dim, c.lanes);
    random_actions(env.spec().action, rng, a);
  }
  std::size_t i = 0;
  measure(state, c.lanes, [&] { env.step(actions[i++ % actions.size()]); });
}

const bool registered = [] {
  struct Shape {
    int lanes, threads;
  };
  for (const EnvEntry& env : environments()) {
    for (const auto& [lanes, threads] : {Shape{1, 1}, Shape{kLanes, 1}, Shape{kLanes, 2}}) {
      const std::string size =
          std::string(env.name) + "/lanes:" + std::to_string(lanes) + "/threads:" + std::to_string(threads);
      add("BM_env_step", Case{size, &env, lanes, threads}, BM_env_step)->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
