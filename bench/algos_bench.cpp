// One update of each algorithm at its paper's sizes, and acting. Agents are made and filled once per process.
#include <map>
#include <memory>

#include "algos/dqn.h"
#include "algos/noise.h"
#include "algos/off_policy_agent.h"
#include "bench/support.h"
#include "envs/classic/bit_flip.h"
#include "envs/vector_env.h"

namespace goalpost::bench {
namespace {

// ---- DQN on bit flipping (Andrychowicz et al. 2017, App. A) -----------------------------------------------------

EnvFactory bit_flip(int bits) {
  return [=] { return make_bit_flip({.bits = bits}); };
}

DqnConfig paper_dqn() {
  return {.gamma = Scalar(0.98),
          .clip_targets = true,
          .tau = Scalar(0.05),
          .target_every = 40,
          .q = {.hidden = {256}},
          .optimizer = OptimizerKind::adam};
}

Network q_network(int bits) { return {"", 2 * bits, 256, 1, bits, kBitFlipBatch}; }

// Target and online network forward, the latter backward.
double update_flops(int bits) { return 2 * q_network(bits).forward_flops() + q_network(bits).backward_flops(); }

// Fills an agent with the experience of random actions.
std::unique_ptr<Agent> filled_agent(int bits, HerStrategy strategy) {
  VectorEnv env(bit_flip(bits), kLanes, Rng(1));
  const OffPolicyConfig config = {.batch_size = static_cast<int>(kBitFlipBatch),
                                  .replay = {.capacity = kBitFlipTransitions},
                                  .her = {.strategy = strategy, .k = 4},
                                  .normalizer = {.enabled = true}};
  auto agent =
      make_off_policy_agent(std::make_unique<Dqn>(env.spec(), paper_dqn(), Rng(2)), env.spec(), config, kLanes, Rng(3));
  Matrix action(1, kLanes);
  Rng rng(4);
  for (int i = 0; i < kBitFlipTransitions / kLanes; ++i) {
    random_actions(env.spec().action, rng, action);
    agent->observe(env.step(action));
  }
  return agent;
}

Agent& bit_flip_agent(int bits, HerStrategy strategy) {
  static std::map<std::pair<int, HerStrategy>, std::unique_ptr<Agent>> agents;
  auto& agent = agents[{bits, strategy}];
  if (agent == nullptr) agent = filled_agent(bits, strategy);
  return *agent;
}

struct Bits {
  std::string name;
  int bits;
};

// Sample, normalise, update: what the training loop calls. Items are updates.
template <HerStrategy strategy>
void BM_dqn_agent_update(State& state, const Bits& n) {
  Agent& agent = bit_flip_agent(n.bits, strategy);
  Metrics metrics;
  measure(state, 1, [&] { agent.update(metrics); });
  report_flops(state, update_flops(n.bits));
}

// The learner's part of it. Items are updates.
void BM_dqn_learner_update(State& state, const Bits& n) {
  const EnvSpec spec = bit_flip(n.bits)()->spec();
  Dqn learner(spec, paper_dqn(), Rng(1));
  Batch batch(spec, kBitFlipBatch);
  batch.s = random_matrix(spec.state_dim(), kBitFlipBatch, 1);
  batch.s2 = random_matrix(spec.state_dim(), kBitFlipBatch, 2);
  batch.r.setConstant(-1);
  Rng rng(2);
  epsilon_greedy(1, n.bits, rng, batch.a);
  Metrics metrics;
  measure(state, 1, [&] { learner.update(batch, rng, metrics); });
  report_flops(state, update_flops(n.bits));
}

// ---- acting; items are observations ---------------------------------------------------------------------------------

struct Acting {
  std::string name;
  int bits, observations;
};

void BM_dqn_agent_act(State& state, const Acting& c) {
  Agent& agent = bit_flip_agent(c.bits, HerStrategy::future);
  const VectorEnv env(bit_flip(c.bits), c.observations, Rng(1));
  Matrix action(1, c.observations);
  measure(state, c.observations, [&] { agent.act(env.obs(), env.first(), Mode::exploit, action); });
}

void BM_dqn_learner_act(State& state, const Acting& c) {
  const EnvSpec spec = bit_flip(c.bits)()->spec();
  Dqn learner(spec, paper_dqn(), Rng(1));
  const Matrix s = random_matrix(spec.state_dim(), c.observations);
  Matrix action(1, c.observations);
  Rng rng(2);
  measure(state, c.observations, [&] { learner.act(s, Mode::exploit, rng, action); });
}

const bool registered = [] {
  for (const int n : kBitFlipBits) {
    const Bits bits{"n:" + std::to_string(n) + "/" + std::to_string(kBitFlipBatch), n};
    add("BM_dqn_learner_update", bits, BM_dqn_learner_update);
    add("BM_dqn_agent_update_uniform", bits, BM_dqn_agent_update<HerStrategy::none>);
    add("BM_dqn_agent_update_her", bits, BM_dqn_agent_update<HerStrategy::future>);
  }
  for (const int observations : {1, kLanes}) {
    const Acting c{"n:40/" + std::to_string(observations), 40, observations};
    add("BM_dqn_learner_act", c, BM_dqn_learner_act);
    add("BM_dqn_agent_act", c, BM_dqn_agent_act);
  }
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
