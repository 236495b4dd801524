#pragma once

#include <memory>

#include "algos/agent.h"
#include "algos/her.h"
#include "algos/replay_buffer.h"
#include "core/memory.h"
#include "nn/normalizer.h"

namespace goalpost {

/// What DQN and its kin share. Defaults are those of the algorithms' own papers: no HER, no normalization.
struct OffPolicyConfig {
  int batch_size = 256;
  ReplayConfig replay = {};
  HerConfig her = {.strategy = HerStrategy::none};
  NormalizerConfig normalizer = {};
};
constexpr auto fields(const OffPolicyConfig*) {
  return std::tuple{
      field("batch_size", &OffPolicyConfig::batch_size, "transitions per update", 1, 1'000'000),
      field("replay", &OffPolicyConfig::replay, "the memory"),
      field("her", &OffPolicyConfig::her, "hindsight experience replay"),
      field("normalizer", &OffPolicyConfig::normalizer, "of observations and goals, before they enter a network"),
  };
}
static_assert(complete<OffPolicyConfig>);

/// DQN, DDPG, TD3 and SAC are this agent with a different learner; HER is this agent with a different sampler.
/// The normalizer's statistics are taken of every state that was acted in, with its goal; with HER when its episode
/// ends, once with a goal that HER may replay it with (as openai/baselines her/ddpg.py store_episode does), and only if
/// the replay buffer holds the whole episode: of others nothing is replayed.
/// @param lanes 0: the agent only acts; it has no replay buffer and no batch
/// @throws std::invalid_argument if HER is asked for and the environment has no goal
std::unique_ptr<Agent> make_off_policy_agent(std::unique_ptr<Learner> learner, const EnvSpec& spec,
                                             const OffPolicyConfig& config, int lanes, Rng rng);

/// What keeps such an agent from learning. @param clip_targets the learner's, with its discount
void check_off_policy_training(const OffPolicyConfig& config, const TrainingPlan& plan, bool clip_targets, double gamma,
                               TrainingCheck& check);
/// What its replay buffer and its batch take.
void add_off_policy_memory(const OffPolicyConfig& config, const EnvSpec& spec, MemoryNeed& need);

}  // namespace goalpost
