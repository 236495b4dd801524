#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "algos/noise.h"
#include "algos/schedule.h"
#include "core/check.h"

namespace goalpost {
namespace {

// Counters of a file that somebody made must leave room to count on.
void check_count(std::int64_t count) {
  constexpr std::int64_t kMost = 1'000'000'000'000'000'000;
  if (count < 0 || count > kMost)
    throw std::runtime_error(
        detail::concatenate("TrainState: a count of ", count, " was saved; expected 0 to ", kMost));
}

}  // namespace

void TrainProgress::visit_state(StateVisitor& v) {
  v.visit("step", step);
  v.visit("episodes", episodes);
  v.visit("updates", updates);
  v.visit("wall_seconds", wall_seconds);
  v.visit("success", success);
  v.visit("success_any", success_any);
  v.visit("reward", reward);
  v.visit("length", length);
  if (v.count("unstable_episodes", unstable_episodes != 0) > 0)
    v.visit("unstable_episodes", unstable_episodes);
  else
    unstable_episodes = 0;
  for (const std::int64_t count : {step, episodes, updates, unstable_episodes}) check_count(count);
}

EpisodeSums::EpisodeSums(int lanes)
    : reward(static_cast<std::size_t>(lanes)),
      length(static_cast<std::size_t>(lanes)),
      success_any(static_cast<std::size_t>(lanes)) {}

void EpisodeSums::add(const StepBatch& step, std::size_t i) {
  reward[i] += static_cast<double>(step.reward(0, static_cast<Index>(i)));
  length[i] += 1;
  success_any[i] |= step.success[i];
}

void EpisodeSums::clear(std::size_t i) {
  reward[i] = 0;
  length[i] = 0;
  success_any[i] = 0;
}

void EpisodeSums::visit_state(StateVisitor& v) {
  v.visit("reward", std::span(reward));
  v.visit("length", std::span(length));
  v.visit("success_any", std::span(success_any));
}

void RecentEpisodes::add(double success, double success_any, double reward, double length, bool unstable) {
  const std::array<double, 4> entry = {success, success_any, reward, length};
  unstable_[count_ % kWindow] = unstable;
  std::copy(entry.begin(), entry.end(), entries_.begin() + 4 * (count_++ % kWindow));
}

int RecentEpisodes::unstable() const {
  return static_cast<int>(std::count_if(unstable_.begin(), unstable_.end(), [](std::uint64_t u) { return u != 0; }));
}

void RecentEpisodes::write(TrainProgress& p) const {
  const std::size_t n = std::min<std::size_t>(count_, kWindow);
  std::array<double, 4> sum = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += entries_[4 * i + k];
  const double count = static_cast<double>(std::max<std::size_t>(n, 1));  // n * (1 / n) may be less than 1
  p.success = sum[0] / count;
  p.success_any = sum[1] / count;
  p.reward = sum[2] / count;
  p.length = sum[3] / count;
}

void RecentEpisodes::visit_state(StateVisitor& v) {
  v.visit("entries", std::span(entries_));
  v.visit("count", count_);
  if (v.count("unstable", unstable() > 0 ? kWindow : 0) > 0)
    v.visit("unstable", std::span(unstable_));
  else
    unstable_.fill(0);
}

void TrainState::visit_state(StateVisitor& v) {
  visit_part(v, "progress", progress);
  v.visit("updates_due", updates_due);
  std::uint64_t due = evaluation_due;
  v.visit("evaluation_due", due);
  evaluation_due = due != 0;
  v.visit("cycles", cycles);
  v.visit("evaluations", evaluations);
  v.visit("successes_in_a_row", successes_in_a_row);
  v.visit("checkpoint_step", checkpoint_step);
  for (const std::int64_t count : {cycles, evaluations, successes_in_a_row, checkpoint_step}) check_count(count);
  if (!(updates_due >= 0) || !std::isfinite(updates_due))
    throw std::runtime_error(
        detail::concatenate("TrainState: ", updates_due, " updates were saved as due; expected a number >= 0"));
  visit_part(v, "warmup_rng", warmup_rng);
  visit_part(v, "sums", sums);
  visit_part(v, "recent", recent);
  visit_part(v, "metrics", metrics);
}

// The evaluation environments are left out: every evaluation resets them to streams of its own.
void Run::visit_state(StateVisitor& v, bool memory) {
  visit_part(v, "train", state);
  visit_part(v, "env", env);
  if (observer != nullptr) visit_part(v, "observer", *observer);
  const StateVisitor::Scope scope(v, "agent");
  if (memory)
    agent.visit_state(v);
  else
    agent.visit_without_memory(v);
}

int evaluation_chains(int episodes, const EnvSpec& spec) {
  const std::int64_t longest = std::max(spec.chain, 1);
  return static_cast<int>((episodes + longest - 1) / longest);
}

int evaluation_lanes(int episodes, const EnvSpec& spec) { return std::min(evaluation_chains(episodes, spec), 100); }

Evaluation evaluate(Agent& agent, VectorEnv& env, int episodes, Rng rng, const std::function<bool()>& stop,
                    const std::function<void(const StepBatch&, std::size_t lane)>& on_step) {
  GP_CHECK(episodes > 0, "evaluate: episodes = ", episodes, "; expected a positive number");
  const std::size_t lanes = static_cast<std::size_t>(env.lanes());
  int chains = evaluation_chains(episodes, env.spec());  // still to be run, in each lane its share
  std::vector<int> left(lanes, chains / env.lanes());
  for (std::size_t i = 0; i < static_cast<std::size_t>(chains % env.lanes()); ++i) ++left[i];
  EpisodeSums sums(env.lanes());
  std::vector<Evaluation::Chain> running(lanes);
  Evaluation total;
  for (const std::string& kind : env.spec().kinds) total.kinds.push_back({.name = kind});
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
      if (!total.kinds.empty()) {
        Evaluation::Kind& kind = total.kinds[env.kinds()[i]];
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
    total.reward += chain.reward;
    total.length += chain.length;
  }
  // Divided by the number: times its inverse, 49 successes of 49 would be less than 1. A chain that breaks counts as a
  // whole one: by its episodes, it would weigh less the earlier it breaks, and few chains would say less than many.
  const double places =
      static_cast<double>(std::max<std::size_t>(total.chains.size(), 1)) * std::max(env.spec().chain, 1);
  const double count = std::max(total.episodes, 1);
  total.success /= places;
  total.success_any /= places;
  total.reward /= count;
  total.length /= count;
  for (Evaluation::Kind& kind : total.kinds) kind.success /= static_cast<double>(kind.episodes);
  return total;
}

EvaluationIntervals evaluation_intervals(const Evaluation& e) {
  const auto column = [&](double Evaluation::Chain::*member) {
    std::vector<double> values;
    for (const Evaluation::Chain& c : e.chains) values.push_back(c.*member);
    return values;
  };
  const std::vector<double> episodes = column(&Evaluation::Chain::episodes);
  const double n = static_cast<double>(e.chains.size());
  return {.success = score_interval(e.success, n),
          .success_any = score_interval(e.success_any, n),
          .reward = ratio_interval(column(&Evaluation::Chain::reward), episodes),
          .length = ratio_interval(column(&Evaluation::Chain::length), episodes)};
}

TrainEnd train(Run& run, const TrainConfig& c) {
  Agent& agent = run.agent;
  VectorEnv &env = run.env, &eval_env = run.eval_env;
  TrainState& s = run.state;
  RunObserver* const observer = run.observer;
  TrainProgress& progress = s.progress;
  const auto start = std::chrono::steady_clock::now();
  const double earlier_seconds = progress.wall_seconds;
  Matrix action(env.spec().action.dim, env.lanes());
  env.cut_unstable_episodes();
  std::string instability;
  bool told = false, unstable = false;  // of an unstable simulation, ever; whether the last step has seen one
  const auto tell_unstable = [&](const std::string& sentence) {
    if (!told) run.on_unstable(sentence);
    told = true;
  };

  const auto look_at_clock = [&] {
    progress.wall_seconds =
        earlier_seconds + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::function<void(const StepBatch&, std::size_t)> on_evaluation_step;
  if (observer)
    on_evaluation_step = [&](const StepBatch& step, std::size_t lane) {
      observer->on_evaluation_step(step, lane, progress);
    };
  const auto evaluate_now = [&] {
    const Rng eval_rng = run.rng.stream("eval", static_cast<std::uint64_t>(s.evaluations));
    if (observer) observer->on_evaluation_begin();
    const Evaluation e = evaluate(agent, eval_env, c.eval_episodes, eval_rng, run.stop, on_evaluation_step);
    if (!e.complete) {
      if (observer) observer->on_evaluation_stopped();
      return;
    }
    if (e.unstable > 0) tell_unstable(e.instability);
    look_at_clock();
    run.on_evaluation(progress, e, s.metrics);
    s.metrics.clear();
    s.evaluation_due = false;
    ++s.evaluations;
    s.successes_in_a_row = c.stop_success > 0 && e.success >= c.stop_success ? s.successes_in_a_row + 1 : 0;
  };
  const auto save = [&] {
    look_at_clock();
    run.on_checkpoint();
  };
  const auto end = [&](TrainEnd reason) {
    save();
    return reason;
  };
  const auto update = [&] {
    try {
      agent.update(s.metrics);
    } catch (const NumericsError& e) {
      throw NumericsError(
          detail::concatenate("update ", progress.updates + 1, " at step ", progress.step, ": ", e.what()));
    }
    ++progress.updates;
  };
  // Beside a step all updates are done: after it the memory would hold what they may not see.
  const auto warm = [&] { return progress.step > c.warmup_steps && agent.ready() && agent.remembers(c.warmup_steps); };
  const std::function<void()> do_updates = [&] {
    if (s.updates_due < 1 || !warm()) return;  // due, but not warm: the run was resumed without its memory
    for (; s.updates_due >= 1 && (c.overlap || !run.stop()); --s.updates_due) update();
  };

  // First what the last step has made due, then the next step: a run may stop, and go on, between any two of these.
  for (;;) {
    if (!c.overlap) do_updates();
    run.on_step(progress);
    if (run.stop()) return end(TrainEnd::interrupted);
    if (unstable && s.recent.unstable() > kMostUnstable) {
      save();
      throw std::runtime_error(detail::concatenate(
          s.recent.unstable(),
          " of the last 100 training episodes were cut by an unstable simulation; expected at most ", kMostUnstable,
          ". The last one: ", instability));
    }
    unstable = false;
    if (s.evaluation_due) evaluate_now();
    if (run.stop()) return end(TrainEnd::interrupted);
    if (s.successes_in_a_row >= c.stop_evals) return end(TrainEnd::success);
    if (progress.step >= c.total_steps || (c.total_episodes > 0 && progress.episodes >= c.total_episodes))
      return end(TrainEnd::budget);
    if (c.checkpoint_every > 0 && progress.step / c.checkpoint_every > s.checkpoint_step / c.checkpoint_every) {
      s.checkpoint_step = progress.step;
      save();
    }

    if (progress.step >= c.warmup_steps)
      agent.act(env.obs(), env.first(), Mode::explore, action);
    else
      random_actions(env.spec().action, s.warmup_rng, action);

    const StepBatch& step = c.overlap ? env.step(action, do_updates) : env.step(action);
    agent.observe(step);

    const std::int64_t before = progress.step;
    progress.step += env.lanes();
    for (std::size_t i = 0; i < static_cast<std::size_t>(env.lanes()); ++i) {
      if (step.is_unstable(i)) {
        unstable = true;
        ++progress.unstable_episodes;
        tell_unstable(instability = env.instability(i));
      } else {
        s.sums.add(step, i);
      }
      if (!step.ended(i)) continue;
      s.recent.add(step.success[i], static_cast<double>(s.sums.success_any[i]), s.sums.reward[i],
                   static_cast<double>(s.sums.length[i]), step.is_unstable(i));
      s.sums.clear(i);
      ++progress.episodes;
    }
    s.recent.write(progress);
    if (observer) observer->on_training_step(step, progress);
    s.evaluation_due = progress.step / c.eval_every > before / c.eval_every;

    const bool learns = warm();
    if (learns) s.updates_due = add_due(s.updates_due, c.updates_per_step * env.lanes());
    if (c.cycle_episodes > 0 && progress.episodes / c.cycle_episodes > s.cycles) {
      const std::int64_t cycles = progress.episodes / c.cycle_episodes;
      if (learns) s.updates_due += static_cast<double>(c.cycle_updates * (cycles - s.cycles));
      s.cycles = cycles;
    }
  }
}

}  // namespace goalpost
