#include "run/trainer.h"

#include <array>
#include <chrono>
#include <vector>

#include "algos/noise.h"
#include "core/check.h"

namespace goalpost {
namespace {

// Sums over the running episode of every lane.
struct EpisodeSums {
  std::vector<double> reward;
  std::vector<std::int64_t> length;
  std::vector<std::uint8_t> success_any;
  explicit EpisodeSums(int lanes)
      : reward(static_cast<std::size_t>(lanes)),
        length(static_cast<std::size_t>(lanes)),
        success_any(static_cast<std::size_t>(lanes)) {}
  void add(const StepBatch& step, std::size_t i) {
    reward[i] += static_cast<double>(step.reward(0, static_cast<Index>(i)));
    length[i] += 1;
    success_any[i] |= step.success[i];
  }
  void clear(std::size_t i) {
    reward[i] = 0;
    length[i] = 0;
    success_any[i] = 0;
  }
};

// The last 100 training episodes, the window of rollout/ep_rew_mean.
class RecentEpisodes {
 public:
  void add(double success, double success_any, double reward, double length) {
    entries_[count_++ % entries_.size()] = {success, success_any, reward, length};
  }
  void write(TrainProgress& p) const {
    const std::size_t n = std::min(count_, entries_.size());
    std::array<double, 4> sum = {};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += entries_[i][k];
    const double scale = n == 0 ? 0 : 1 / static_cast<double>(n);
    p.success = sum[0] * scale;
    p.success_any = sum[1] * scale;
    p.reward = sum[2] * scale;
    p.length = sum[3] * scale;
  }

 private:
  std::array<std::array<double, 4>, 100> entries_{};
  std::size_t count_ = 0;
};

}  // namespace

Evaluation evaluate(Agent& agent, VectorEnv& env, int episodes, Rng rng, const std::function<bool()>& stop) {
  GP_CHECK(episodes > 0, "evaluate: episodes = ", episodes, "; expected a positive number");
  const std::size_t lanes = static_cast<std::size_t>(env.lanes());
  std::vector<int> left(lanes, episodes / env.lanes());  // episodes that each lane still has to run
  for (std::size_t i = 0; i < static_cast<std::size_t>(episodes % env.lanes()); ++i) ++left[i];
  EpisodeSums sums(env.lanes());
  Evaluation total;
  Matrix action(env.spec().action.dim, env.lanes());
  env.reset(rng);
  while (total.episodes < episodes && !stop()) {
    agent.act(env.obs(), env.first(), Mode::exploit, action);
    const StepBatch& step = env.step(action);
    for (std::size_t i = 0; i < lanes; ++i) {
      if (left[i] == 0) continue;
      sums.add(step, i);
      if (!step.ended(i)) continue;
      total.success += step.success[i];
      total.success_any += sums.success_any[i];
      total.reward += sums.reward[i];
      total.length += static_cast<double>(sums.length[i]);
      total.episodes += 1;
      --left[i];
      sums.clear(i);
    }
  }
  const double scale = total.episodes == 0 ? 0 : 1 / static_cast<double>(total.episodes);
  total.success *= scale;
  total.success_any *= scale;
  total.reward *= scale;
  total.length *= scale;
  return total;
}

TrainEnd train(Run& run, const TrainConfig& c) {
  auto& [agent, env, eval_env, rng, on_evaluation, on_step, stop, progress] = run;
  const auto start = std::chrono::steady_clock::now();
  Matrix action(env.spec().action.dim, env.lanes());
  EpisodeSums sums(env.lanes());
  RecentEpisodes recent;
  Metrics metrics;
  Rng warmup_rng = rng.stream("warmup");
  double updates_due = 0;
  std::int64_t cycle = 0;         // cycles completed
  std::uint64_t evaluations = 0;  // so far
  int successes_in_a_row = 0;

  const auto evaluate_now = [&] {
    const Evaluation e = evaluate(agent, eval_env, c.eval_episodes, rng.stream("eval", evaluations++), stop);
    if (e.episodes < c.eval_episodes) return;  // stopped on the way: not a measurement
    progress.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    on_evaluation(progress, e, metrics);
    metrics.clear();
    successes_in_a_row = c.stop_success > 0 && e.success >= c.stop_success ? successes_in_a_row + 1 : 0;
  };
  const auto update = [&] {
    try {
      agent.update(metrics);
    } catch (const NumericsError& e) {
      throw NumericsError(
          detail::concatenate("update ", progress.updates + 1, " at step ", progress.step, ": ", e.what()));
    }
    ++progress.updates;
  };

  const std::function<void()> do_updates = [&] {
    for (; updates_due >= 1 && !stop(); --updates_due) update();
  };

  evaluate_now();
  while (progress.step < c.total_steps && (c.total_episodes == 0 || progress.episodes < c.total_episodes)) {
    if (progress.step >= c.warmup_steps)
      agent.act(env.obs(), env.first(), Mode::explore, action);
    else
      random_actions(env.spec().action, warmup_rng, action);

    const StepBatch& step = c.overlap ? env.step(action, do_updates) : env.step(action);
    agent.observe(step);

    const std::int64_t before = progress.step;
    progress.step += env.lanes();
    for (std::size_t i = 0; i < static_cast<std::size_t>(env.lanes()); ++i) {
      sums.add(step, i);
      if (!step.ended(i)) continue;
      recent.add(step.success[i], sums.success_any[i], sums.reward[i], static_cast<double>(sums.length[i]));
      sums.clear(i);
      ++progress.episodes;
    }

    const bool warm = progress.step > c.warmup_steps && agent.ready();
    if (warm) updates_due += c.updates_per_step * env.lanes();
    if (c.cycle_episodes > 0 && progress.episodes / c.cycle_episodes > cycle) {
      if (warm) updates_due += static_cast<double>(c.cycle_updates * (progress.episodes / c.cycle_episodes - cycle));
      cycle = progress.episodes / c.cycle_episodes;
    }
    if (!c.overlap) do_updates();

    recent.write(progress);
    on_step(progress);
    if (stop()) return TrainEnd::interrupted;
    if (progress.step / c.eval_every > before / c.eval_every) {
      evaluate_now();
      if (stop()) return TrainEnd::interrupted;
      if (successes_in_a_row >= c.stop_evals) return TrainEnd::success;
    }
  }
  return TrainEnd::budget;
}

}  // namespace goalpost
