#pragma once

#include <memory>

#include "algos/agent.h"
#include "algos/her.h"
#include "algos/relay.h"
#include "algos/replay_buffer.h"
#include "core/memory.h"
#include "nn/normalizer.h"

namespace goalpost {

/// Settings that DQN, DDPG, TD3 and SAC share. Defaults are those of their papers: no HER, no normalization.
struct OffPolicyConfig {
  int batch_size = 256;
  ReplayConfig replay = {};
  HerConfig her = {.strategy = HerStrategy::none};
  RelayConfig relay = {};
  NormalizerConfig normalizer = {};
};
constexpr auto fields(const OffPolicyConfig*) {
  return std::tuple{
      field("batch_size", &OffPolicyConfig::batch_size, "transitions per update", 1, 1'000'000),
      field("replay", &OffPolicyConfig::replay, "the replay buffer"),
      field("her", &OffPolicyConfig::her, "hindsight experience replay"),
      field("relay", &OffPolicyConfig::relay,
            "HER with a second sub-task, reaching the object: for tasks of moving an object"),
      field("normalizer", &OffPolicyConfig::normalizer,
            "normalization of observations and goals, the networks' inputs"),
  };
}
static_assert(complete<OffPolicyConfig>);

/// The agent of DQN, DDPG, TD3 and SAC: a learner, a replay buffer and a sampler, with HER a HerSampler.
/// The normalizer's statistics count every state that was acted in, with its goal. With HER they count the states of an
/// episode when it ends, each with a goal that HER may replay it with (as openai/baselines her/ddpg.py store_episode
/// does), and only if the replay buffer holds the whole episode: HER replays no other.
/// @param learner made for learner_spec(config, spec)
/// @param lanes number of environments; 0: the agent only acts, without replay buffer and batch
/// @throws std::invalid_argument if HER is on and the environment has no goal
std::unique_ptr<Agent> make_off_policy_agent(std::unique_ptr<Learner> learner, const EnvSpec& spec,
                                             const OffPolicyConfig& config, int lanes, Rng rng);

/// What the learner of such an agent is made for: spec, with the rows that the relay adds to the observation.
EnvSpec learner_spec(const OffPolicyConfig& config, const EnvSpec& spec);
/// Why the settings cannot work in an environment, as a sentence; empty if they can.
std::string off_policy_problem(const OffPolicyConfig& config, const EnvSpec& spec);
/// Adds what keeps such an agent from learning. @param clip_targets, gamma of the learner
void check_off_policy_training(const OffPolicyConfig& config, const TrainingPlan& plan, bool clip_targets, double gamma,
                               TrainingCheck& check);
/// Adds the memory of its replay buffer and its batch.
void add_off_policy_memory(const OffPolicyConfig& config, const EnvSpec& spec, MemoryNeed& need);

}  // namespace goalpost
