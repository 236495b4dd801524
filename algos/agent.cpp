#include "algos/agent.h"

#include "core/check.h"

namespace goalpost {

const EnvSpec& discrete(const char* learner, const EnvSpec& spec) {
  GP_CHECK(spec.action.kind == ActionSpace::Kind::discrete, learner, ": the actions of ", spec.name,
           " are continuous; expected a discrete action space");
  return spec;
}

const EnvSpec& continuous(const char* learner, const EnvSpec& spec) {
  GP_CHECK(spec.action.kind == ActionSpace::Kind::continuous, learner, ": the actions of ", spec.name,
           " are discrete; expected a continuous action space");
  return spec;
}

void Agent::add_offline_transition(const StepBatch&, int) {
  detail::throw_invalid_argument("Agent::add_offline_transition: this agent has no replay buffer for a dataset");
}

void Agent::become_worker(Rng) {
  detail::throw_invalid_argument("Agent::become_worker: this algorithm cannot be trained by several workers");
}

}  // namespace goalpost
