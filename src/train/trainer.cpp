#include "train/trainer.h"

#include <chrono>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "algos/noise.h"
#include "core/check.h"
#include "core/schedule.h"
#include "core/state_hash.h"
#include "core/timed.h"
#include "core/worker.h"
#include "train/step_exchange.h"

namespace goalpost {

// The evaluation environments are left out: every evaluation resets them to streams of its own.
void Run::visit_state(StateVisitor& v, bool memory) {
  visit_part(v, "train", state);
  visit_part(v, "env", env);
  for (TrainCallback* callback : callbacks)
    if (callback->state_name() != nullptr) visit_part(v, callback->state_name(), *callback);
  visit_agent(v, agent, memory);
  if (visit_other_workers) visit_other_workers(v, memory);
}

void visit_agent(StateVisitor& v, Agent& agent, bool memory) {
  const StateVisitor::Scope scope(v, "agent");
  if (memory)
    agent.visit_state(v);
  else
    agent.visit_state_without_replay(v);
}

namespace {

constexpr std::int64_t kUpdatesBetweenComparisons = 100;  // of the workers' policies

// All of them have started equal and have taken the same steps, so a difference is a broken machine.
void compare_policies(Worker& worker, Agent& agent, std::int64_t updates) {
  const std::uint64_t hash = state_hash([&](StateVisitor& v) { agent.visit_policy(v); });
  std::vector<std::uint64_t> all;
  worker.gather(std::span(&hash, 1), all);
  for (std::size_t w = 1; w < all.size(); ++w)
    if (all[w] != all[0])
      throw std::runtime_error(detail::concatenate("after ", updates, " updates the policy of worker ", w,
                                                   " differs from that of worker 0; expected equal bits: a processor "
                                                   "or a memory is broken"));
}

}  // namespace

TrainEnd train(Run& run, const TrainConfig& c) {
  Agent& agent = run.agent;
  VectorEnv &env = run.env, &eval_env = run.eval_env;
  TrainState& s = run.state;
  TrainProgress& progress = s.progress;
  PhaseSeconds& phases = progress.phases;
  Worker* const worker = this_worker();  // null: there is only one
  const int all_lanes = run.all_lanes, first_lane = worker == nullptr ? 0 : worker->index() * env.lanes();
  const int workers = worker == nullptr ? 1 : worker->count();
  StepExchange exchange(worker);
  const auto start = std::chrono::steady_clock::now();
  const double earlier_seconds = progress.wall_seconds;
  Matrix action(env.spec().action.dim, env.lanes());
  env.cut_unstable_episodes();
  std::string instability;
  bool told = false, unstable = false;  // of an unstable simulation, ever; whether the last step has seen one
  const auto tell = [&](auto f) {
    for (TrainCallback* callback : run.callbacks) f(*callback);
  };
  const auto tell_unstable = [&](const std::string& sentence) {
    if (!told) tell([&](TrainCallback& callback) { callback.on_unstable(sentence); });
    told = true;
  };

  const auto look_at_clock = [&] {
    progress.wall_seconds =
        earlier_seconds + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto on_evaluation_step = [&](const StepBatch& step, std::size_t lane) {
    tell([&](TrainCallback& callback) { callback.on_evaluation_step(step, lane, progress); });
  };
  // With several workers a stop is agreed on with every step and every update.
  bool evaluation_stopped = false;
  const auto stopped = [&] { return worker == nullptr ? run.stop() : exchange.stop() || evaluation_stopped; };
  const auto evaluate_now = [&] {
    const Rng eval_rng = run.rng.stream("eval", static_cast<std::uint64_t>(s.evaluations));
    const int most = (most_evaluation_episodes(c.eval_episodes, eval_env.spec()) + workers - 1) / workers;  // its share
    tell([&](TrainCallback& callback) { callback.on_evaluation_begin(most); });
    const Evaluation e = timed(phases.evaluate, [&] {
      return evaluate_with(worker, agent, eval_env, c.eval_episodes, eval_rng, run.stop, on_evaluation_step);
    });
    if (!e.complete) {
      tell([](TrainCallback& callback) { callback.on_evaluation_stopped(); });
      evaluation_stopped = true;
      return;
    }
    if (e.unstable > 0) tell_unstable(e.instability);
    look_at_clock();
    tell([&](TrainCallback& callback) { callback.on_evaluation(progress, e, s.metrics); });
    s.metrics.clear();
    s.evaluation_due = false;
    ++s.evaluations;
    s.successes_in_a_row = c.stop_success > 0 && e.success >= c.stop_success ? s.successes_in_a_row + 1 : 0;
  };
  double saving_s = 0, saved_at_s = progress.wall_seconds;  // of the last checkpoint: how long it took, and its end
  const auto save = [&] {
    look_at_clock();
    const double begin_s = progress.wall_seconds;
    if (worker != nullptr) worker->wait();  // the first one saves all of them
    timed(phases.save, [&] { tell([&](TrainCallback& callback) { callback.on_checkpoint(progress); }); });
    if (worker != nullptr) worker->wait();
    look_at_clock();
    saved_at_s = progress.wall_seconds;
    saving_s = saved_at_s - begin_s;
  };
  // Workers would have to agree on the time.
  const auto pays_to_save = [&] {
    constexpr double kCheap = 0.2;  // seconds
    if (worker != nullptr || c.checkpoint_share >= 1 || saving_s <= kCheap) return true;
    look_at_clock();
    return saving_s <= c.checkpoint_share * (progress.wall_seconds - saved_at_s);
  };
  const auto end = [&](TrainEnd reason) {
    save();
    return reason;
  };
  const auto update = [&] {
    const double sampled = agent.sample_seconds();
    try {
      timed(phases.update, [&] { agent.update(s.metrics); });
    } catch (const NumericsError& e) {
      throw NumericsError(
          detail::concatenate("update ", progress.updates + 1, " at step ", progress.step, ": ", e.what()));
    }
    const double sampling = agent.sample_seconds() - sampled;
    phases.sample += sampling;
    phases.update -= sampling;
    ++progress.updates;
    if (worker != nullptr && progress.updates % kUpdatesBetweenComparisons == 0)
      compare_policies(*worker, agent, progress.updates);
  };
  // With overlap all due updates are done during the step; otherwise they would see newer data.
  const auto ready = [&] { return agent.ready() && agent.remembers(c.learning_starts / workers); };
  const auto look_around = [&] {
    if (worker != nullptr) exchange.share(run.stop(), ready(), nullptr);
  };
  const auto warm = [&] {
    return progress.step > c.learning_starts && (worker == nullptr ? ready() : exchange.ready());
  };
  const std::function<void()> do_updates = [&] {
    if (s.updates_due < 1 || !warm()) return;  // due, but not warm: the run was resumed without its memory
    for (; s.updates_due >= 1 && (c.overlap || !stopped()); --s.updates_due) {
      update();
      look_around();
    }
  };
  look_around();
  if (progress.step == 0 && !c.eval_at_start) s.evaluation_due = false;

  // First what the last step has made due, then the next step: a run may stop, and go on, between any two of these.
  for (;;) {
    if (!c.overlap) do_updates();
    tell([&](TrainCallback& callback) { callback.on_step(progress); });
    if (stopped()) return end(TrainEnd::interrupted);
    if (unstable && env.has_lost()) {
      save();
      throw std::runtime_error(instability);
    }
    if (unstable && s.recent.unstable() > kMostUnstable) {
      save();
      throw std::runtime_error(detail::concatenate(
          s.recent.unstable(),
          " of the last 100 training episodes were cut by an unstable simulation; expected at most ", kMostUnstable,
          ". The last one: ", instability));
    }
    unstable = false;
    if (s.evaluation_due) evaluate_now();
    if (stopped()) return end(TrainEnd::interrupted);
    if (s.successes_in_a_row >= c.stop_evals) return end(TrainEnd::success);
    if (progress.step >= c.total_steps || (c.total_episodes > 0 && progress.episodes >= c.total_episodes))
      return end(TrainEnd::budget);
    if (c.checkpoint_every > 0 && progress.step / c.checkpoint_every > s.checkpoint_step / c.checkpoint_every) {
      s.checkpoint_step = progress.step;
      if (pays_to_save()) save();
    }

    timed(phases.act, [&] {
      if (progress.step >= c.learning_starts)
        agent.act(env.obs(), env.first(), Mode::explore, action);
      else
        random_actions(env.spec().action, s.warmup_rng, action);  // each worker has a stream of its own
    });
    const StepBatch& step = timed(phases.environment, [&]() -> const StepBatch& {
      return c.overlap ? env.step(action, do_updates) : env.step(action);
    });
    timed(phases.sample, [&] { agent.observe(step); });

    const std::int64_t before = progress.step;
    progress.step += all_lanes;
    exchange.share(worker != nullptr && run.stop(), worker == nullptr || ready(), &step);
    for (std::size_t i = 0; i < exchange.lanes().size(); ++i) {
      const StepExchange::Lane& lane = exchange.lanes()[i];
      if (lane.unstable != 0) {
        unstable = true;
        ++progress.unstable_episodes;
        const std::size_t own = i - static_cast<std::size_t>(first_lane);
        tell_unstable(instability = own < step.success.size()
                                        ? env.instability(own)
                                        : detail::concatenate("env ", i, ", of another worker, has become unstable"));
      } else {
        s.sums.add(i, static_cast<double>(lane.reward), lane.success != 0);
      }
      if (lane.ended == 0) continue;
      s.recent.add(lane.success, static_cast<double>(s.sums.success_any[i]), s.sums.reward[i],
                   static_cast<double>(s.sums.length[i]), lane.unstable != 0);
      s.sums.clear(i);
      ++progress.episodes;
    }
    s.recent.write(progress);
    tell([&](TrainCallback& callback) { callback.on_training_step(step, progress); });
    s.evaluation_due = progress.step / c.eval_every > before / c.eval_every;

    const bool learns = warm();
    if (learns) s.updates_due = add_due(s.updates_due, c.updates_per_step * all_lanes);
    if (c.cycle_episodes > 0 && progress.episodes / c.cycle_episodes > s.cycles) {
      const std::int64_t cycles = progress.episodes / c.cycle_episodes;
      if (learns) s.updates_due += static_cast<double>(c.cycle_updates * (cycles - s.cycles));
      s.cycles = cycles;
    }
  }
}

}  // namespace goalpost
