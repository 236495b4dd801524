#include "train/evaluation.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/check.h"
#include "train/state.h"

namespace goalpost {

namespace {

constexpr int kMostEvaluationLanes = 100;

}  // namespace

int evaluation_chains(int episodes, const EnvSpec& spec) {
  const std::int64_t longest = std::max(spec.chain, 1);
  return static_cast<int>((episodes + longest - 1) / longest);
}

int most_evaluation_episodes(int episodes, const EnvSpec& spec) {
  return evaluation_chains(episodes, spec) * std::max(spec.chain, 1);
}

int evaluation_lanes(int episodes, const EnvSpec& spec) {
  return std::min(evaluation_chains(episodes, spec), kMostEvaluationLanes);
}

namespace {

// What so many chains have given: sums, in place of means.
Evaluation run_chains(Agent& agent, VectorEnv& env, int chains, Rng rng, const std::function<bool()>& stop,
                      const std::function<void(const StepBatch&, std::size_t lane)>& on_step) {
  const std::size_t lanes = env.first().size();
  std::vector<int> left(lanes, chains / env.lanes());  // still to be run, in each lane its share
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
        sums.add(i, static_cast<double>(step.reward(0, static_cast<Index>(i))), step.success[i] != 0);
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
  return total;
}

Evaluation with_means(Evaluation total, const EnvSpec& spec) {
  for (const Evaluation::Chain& chain : total.chains) {
    total.episodes += static_cast<int>(chain.episodes);
    total.success += chain.success;
    total.success_any += chain.success_any;
    total.mean_return += chain.reward;
    total.length += chain.length;
  }
  // Divided by the number: times its inverse, 49 successes of 49 would be less than 1. A chain that breaks counts as a
  // whole one: by its episodes, it would weigh less the earlier it breaks, and few chains would say less than many.
  const double places = static_cast<double>(std::max<std::size_t>(total.chains.size(), 1)) * std::max(spec.chain, 1);
  const double count = std::max(total.episodes, 1);
  total.success /= places;
  total.success_any /= places;
  total.mean_return /= count;
  total.length /= count;
  for (Evaluation::Category& kind : total.categories) kind.success /= static_cast<double>(kind.episodes);
  return total;
}

// The chains that one of the workers runs.
int share_of(int chains, int worker, int workers) { return chains / workers + (worker < chains % workers ? 1 : 0); }

// The sums of all workers, in their order.
Evaluation gather(const Evaluation& mine, Worker& worker) {
  constexpr std::size_t kChain = sizeof(Evaluation::Chain) / sizeof(double);
  static_assert(sizeof(Evaluation::Chain) == kChain * sizeof(double));
  std::vector<double> counts = {static_cast<double>(mine.complete), static_cast<double>(mine.unstable)};
  for (const Evaluation::Category& kind : mine.categories)
    counts.insert(counts.end(), {static_cast<double>(kind.episodes), kind.success});
  std::vector<double> all;
  worker.gather(std::span<const double>(counts), all);
  const std::string bytes(reinterpret_cast<const char*>(mine.chains.data()),
                          mine.chains.size() * sizeof(Evaluation::Chain));
  const std::vector<std::string> chains = worker.gather_texts(bytes), sentences = worker.gather_texts(mine.instability);
  Evaluation total{.complete = true};
  for (const Evaluation::Category& kind : mine.categories) total.categories.push_back({.name = kind.name});
  for (std::size_t w = 0; w < chains.size(); ++w) {
    const double* count = all.data() + w * counts.size();
    total.complete = total.complete && count[0] != 0;
    total.unstable += static_cast<int>(count[1]);
    if (total.instability.empty()) total.instability = sentences[w];
    for (std::size_t k = 0; k < total.categories.size(); ++k) {
      total.categories[k].episodes += static_cast<int>(count[2 + 2 * k]);
      total.categories[k].success += count[3 + 2 * k];
    }
    const std::size_t before = total.chains.size();
    total.chains.resize(before + chains[w].size() / sizeof(Evaluation::Chain));
    std::copy_n(chains[w].data(), chains[w].size(), reinterpret_cast<char*>(total.chains.data() + before));
  }
  return total;
}

}  // namespace

Evaluation evaluate(Agent& agent, VectorEnv& env, int episodes, Rng rng, const std::function<bool()>& stop,
                    const std::function<void(const StepBatch&, std::size_t lane)>& on_step) {
  GP_CHECK(episodes > 0, "evaluate: episodes = ", episodes, "; expected a positive number");
  const int chains = evaluation_chains(episodes, env.spec());
  return with_means(run_chains(agent, env, chains, rng, stop, on_step), env.spec());
}

Evaluation evaluate_with(Worker* worker, Agent& agent, VectorEnv& env, int episodes, Rng rng,
                         const std::function<bool()>& stop,
                         const std::function<void(const StepBatch&, std::size_t lane)>& on_step) {
  if (worker == nullptr) return evaluate(agent, env, episodes, rng, stop, on_step);
  GP_CHECK(episodes > 0, "evaluate: episodes = ", episodes, "; expected a positive number");
  const int chains = share_of(evaluation_chains(episodes, env.spec()), worker->index(), worker->count());
  return with_means(gather(run_chains(agent, env, chains, rng, stop, on_step), *worker), env.spec());
}

VectorEnv make_evaluation_env(const EnvFactory& make, int episodes, Rng rng, int threads, int worker, int workers) {
  const int chains = share_of(evaluation_chains(episodes, make()->spec()), worker, workers);
  return VectorEnv(make, std::clamp(chains, 1, kMostEvaluationLanes), rng, threads);
}

}  // namespace goalpost
