#include "train/trainer.h"

#include <chrono>
#include <stdexcept>
#include <string>

#include "algos/noise.h"
#include "core/check.h"
#include "core/schedule.h"
#include "core/timed.h"

namespace goalpost {

// The evaluation environments are left out: every evaluation resets them to streams of its own.
void Run::visit_state(StateVisitor& v, bool memory) {
  visit_part(v, "train", state);
  visit_part(v, "env", env);
  for (TrainCallback* callback : callbacks)
    if (callback->state_name() != nullptr) visit_part(v, callback->state_name(), *callback);
  const StateVisitor::Scope scope(v, "agent");
  if (memory)
    agent.visit_state(v);
  else
    agent.visit_state_without_replay(v);
}

TrainEnd train(Run& run, const TrainConfig& c) {
  Agent& agent = run.agent;
  VectorEnv &env = run.env, &eval_env = run.eval_env;
  TrainState& s = run.state;
  TrainProgress& progress = s.progress;
  PhaseSeconds& phases = progress.phases;
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
  const auto evaluate_now = [&] {
    const Rng eval_rng = run.rng.stream("eval", static_cast<std::uint64_t>(s.evaluations));
    const int most = most_evaluation_episodes(c.eval_episodes, eval_env.spec());
    tell([&](TrainCallback& callback) { callback.on_evaluation_begin(most); });
    const Evaluation e = timed(phases.evaluate, [&] {
      return evaluate(agent, eval_env, c.eval_episodes, eval_rng, run.stop, on_evaluation_step);
    });
    if (!e.complete) {
      tell([](TrainCallback& callback) { callback.on_evaluation_stopped(); });
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
  const auto save = [&] {
    look_at_clock();
    tell([&](TrainCallback& callback) { callback.on_checkpoint(progress); });
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
  };
  // With overlap all due updates are done during the step; otherwise they would see newer data.
  const auto warm = [&] {
    return progress.step > c.learning_starts && agent.ready() && agent.remembers(c.learning_starts);
  };
  const std::function<void()> do_updates = [&] {
    if (s.updates_due < 1 || !warm()) return;  // due, but not warm: the run was resumed without its memory
    for (; s.updates_due >= 1 && (c.overlap || !run.stop()); --s.updates_due) update();
  };

  // First what the last step has made due, then the next step: a run may stop, and go on, between any two of these.
  for (;;) {
    if (!c.overlap) do_updates();
    tell([&](TrainCallback& callback) { callback.on_step(progress); });
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

    timed(phases.act, [&] {
      if (progress.step >= c.learning_starts)
        agent.act(env.obs(), env.first(), Mode::explore, action);
      else
        random_actions(env.spec().action, s.warmup_rng, action);
    });
    const StepBatch& step = timed(phases.environment, [&]() -> const StepBatch& {
      return c.overlap ? env.step(action, do_updates) : env.step(action);
    });
    timed(phases.sample, [&] { agent.observe(step); });

    const std::int64_t before = progress.step;
    progress.step += env.lanes();
    for (std::size_t i = 0; i < step.success.size(); ++i) {
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
    tell([&](TrainCallback& callback) { callback.on_training_step(step, progress); });
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
