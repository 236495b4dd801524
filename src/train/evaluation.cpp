#include "train/evaluation.h"

#include <algorithm>
#include <cstdint>

#include "core/check.h"
#include "train/state.h"

namespace goalpost {

int evaluation_chains(int episodes, const EnvSpec& spec) {
  const std::int64_t longest = std::max(spec.chain, 1);
  return static_cast<int>((episodes + longest - 1) / longest);
}

int most_evaluation_episodes(int episodes, const EnvSpec& spec) {
  return evaluation_chains(episodes, spec) * std::max(spec.chain, 1);
}

int evaluation_lanes(int episodes, const EnvSpec& spec) { return std::min(evaluation_chains(episodes, spec), 100); }

Evaluation evaluate(Agent& agent, VectorEnv& env, int episodes, Rng rng, const std::function<bool()>& stop,
                    const std::function<void(const StepBatch&, std::size_t lane)>& on_step) {
  GP_CHECK(episodes > 0, "evaluate: episodes = ", episodes, "; expected a positive number");
  const std::size_t lanes = env.first().size();
  int chains = evaluation_chains(episodes, env.spec());  // still to be run, in each lane its share
  std::vector<int> left(lanes, chains / env.lanes());
  std::fill_n(left.begin(), chains % env.lanes(), chains / env.lanes() + 1);
  EpisodeSums sums(env.lanes());
  std::vector<Evaluation::Chain> running(lanes);
  Evaluation total;
  for (const std::string& kind : env.spec().categories) total.categories.push_back({.name = kind});
  Matrix action(env.spec().action.dim, env.lanes());
  env.cut_unstable_episodes();
  env.reset(rng);
  while (chains > 0 && !stop()) {
    agent.act(env.obs(), env.first(), Mode::exploit, action);
    const StepBatch& step = env.step(action);
    for (std::size_t i = 0; i < lanes; ++i) {
      if (left[i] == 0) continue;
      if (on_step) on_step(step, i);
      const bool unstable = step.is_unstable(i);
      if (unstable) {
        if (total.unstable++ == 0) total.instability = env.instability(i);
        sums.success_any[i] = 0;
      } else {
        sums.add(step, i);
      }
      if (!step.ended(i)) continue;
      if (!total.categories.empty()) {
        Evaluation::Category& kind = total.categories[env.categories()[i]];
        kind.episodes += 1;
        kind.success += step.success[i];
      }
      Evaluation::Chain& chain = running[i];
      chain.episodes += 1;
      chain.success += step.success[i];
      chain.success_any += static_cast<double>(sums.success_any[i]);
      chain.reward += sums.reward[i];
      chain.length += static_cast<double>(sums.length[i]);
      sums.clear(i);
      if (!env.chain_ended()[i]) continue;
      total.chains.push_back(chain);
      chain = {};
      --left[i];
      --chains;
    }
  }
  total.complete = chains == 0;
  for (const Evaluation::Chain& chain : total.chains) {
    total.episodes += static_cast<int>(chain.episodes);
    total.success += chain.success;
    total.success_any += chain.success_any;
    total.mean_return += chain.reward;
    total.length += chain.length;
  }
  // Divided by the number: times its inverse, 49 successes of 49 would be less than 1. A chain that breaks counts as a
  // whole one: by its episodes, it would weigh less the earlier it breaks, and few chains would say less than many.
  const double places =
      static_cast<double>(std::max<std::size_t>(total.chains.size(), 1)) * std::max(env.spec().chain, 1);
  const double count = std::max(total.episodes, 1);
  total.success /= places;
  total.success_any /= places;
  total.mean_return /= count;
  total.length /= count;
  for (Evaluation::Category& kind : total.categories) kind.success /= static_cast<double>(kind.episodes);
  return total;
}

VectorEnv make_evaluation_env(const EnvFactory& make, int episodes, Rng rng, int threads) {
  return VectorEnv(make, evaluation_lanes(episodes, make()->spec()), rng, threads);
}

}  // namespace goalpost
