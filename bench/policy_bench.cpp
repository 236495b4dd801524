// Acting with a policy by itself (policy/policy.h), as libgoalpost_policy does, for 1, 16 and 64 observations. Its
// learner's time, BM_sac_learner_act, is beside it: that samples.
#include <string>
#include <utility>

#include "bench/support.h"
#include "core/rng.h"
#include "policy/policy.h"

namespace goalpost::bench {
namespace {

struct Sizes {
  std::string name;
  Index observations;
};

// FetchReach by SAC, 2 x 256.
Policy make_policy() {
  constexpr Index kObs = 10, kGoal = 3, kActions = 4;
  Policy p;
  p.algorithm = "sac";
  p.obs_size = kObs;
  p.goal_size = kGoal;
  p.low = Vector::Constant(kActions, -1);
  p.high = Vector::Constant(kActions, 1);
  const MlpConfig config{.hidden = {256, 256}};
  Mlp network(kObs + kGoal, 2 * kActions, config, Rng(1));
  p.levels.push_back({"pi", config, std::move(network), PolicyHead::gaussian});
  return p;
}

void BM_policy_act(State& state, const Sizes& c) {
  const Policy p = make_policy();
  PolicyMemory memory(p, c.observations);
  const Matrix obs = random_matrix(p.obs_size, c.observations), goal = random_matrix(p.goal_size, c.observations, 1);
  Matrix action(p.action_size(), c.observations);
  measure(state, static_cast<double>(c.observations), [&] { p.act(obs, goal, memory, action); });
}

const int registered = [] {
  for (const Index n : {1, 16, 64}) add("BM_policy_act", Sizes{std::to_string(n), n}, BM_policy_act);
  return 0;
}();

}  // namespace
}  // namespace goalpost::bench
