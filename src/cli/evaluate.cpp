// goalpost evaluate: measures a trained policy, or a random or scripted one, without exploration.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "algos/agent.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "core/check.h"
#include "core/processors.h"
#include "core/rng.h"
#include "core/text.h"
#include "core/thread_pool.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "report/statistics.h"
#include "run/experiment.h"
#include "run/fixed_policy.h"
#include "run/policy_file.h"
#include "run/run_result.h"
#include "train/evaluation.h"

namespace goalpost {
namespace {

struct EvaluateOptions {
  std::string what;  // run directory; an environment with random or scripted
  bool random = false, scripted = false;
  int episodes = 1000;
  std::int64_t seed = 0;
  std::vector<std::string> set;
  std::string env;  // another one than the policy was trained in
  bool as_json = false;
};

int evaluate(const EvaluateOptions& o) {
  const Rng rng = Rng(static_cast<std::uint64_t>(o.seed)).stream("evaluate");
  std::string name;
  EnvFactory make_env;
  std::unique_ptr<Agent> agent;
  std::optional<std::int64_t> step;
  if (o.random || o.scripted) {
    if (!o.env.empty()) throw UsageError("--env is for a trained policy; expected it without --random and --scripted");
    make_env = make_environment(o.what, o.set, static_cast<std::uint64_t>(o.seed));
    const EnvSpec spec = make_env()->spec();
    agent = o.random ? make_random_policy(spec, rng.stream("action")) : make_scripted_policy(spec);
    name = o.random ? "random" : "scripted";
  } else {
    const auto is_named = [&](const EnvEntry& env) { return env.name == o.what; };
    if (std::any_of(environments().begin(), environments().end(), is_named) && !std::filesystem::exists(o.what))
      throw UsageError(fmt::format("{} is an environment; expected --random or --scripted to act in it", o.what));
    LoadedRun run = load_run(o.what, o.set, o.env);
    step = run.step;
    make_env = run.experiment.eval_env_factory();
    agent = std::move(run.agent);
    name = run.experiment.name;
  }
  const int threads = usable_processors();  // results do not depend on it
  set_compute_threads(threads);
  VectorEnv env = make_evaluation_env(make_env, o.episodes, rng, threads);
  Progress bar("evaluating", most_evaluation_episodes(o.episodes, env.spec()), "episode", {.vanishes = true});
  std::int64_t done = 0;
  const Evaluation e =
      evaluate(*agent, env, o.episodes, rng, interrupted, [&](const StepBatch& step, std::size_t lane) {
        done += step.ended(lane);
        bar.update(done);
      });
  bar.finish();
  if (!e.complete) return interrupt_status();
  if (e.unstable > 0)
    print_error(fmt::format("goalpost: {} of {} episodes were cut by an unstable simulation and count as failed: {}",
                            e.unstable, e.episodes, e.instability));
  const EvaluationIntervals intervals = evaluation_intervals(e);
  if (o.as_json) {
    const auto pair = [](const Interval& i) { return nlohmann::ordered_json{i.low, i.high}; };  // NaN: null
    nlohmann::ordered_json j = {{"experiment", name},      {"env", env.spec().name}, {"seed", o.seed},
                                {"episodes", e.episodes},  {"success", e.success},   {"success_any", e.success_any},
                                {"return", e.mean_return}, {"length", e.length},     {"kinds", to_json(e.categories)}};
    j["interval"] = {{"success", pair(intervals.success)},
                     {"success_any", pair(intervals.success_any)},
                     {"return", pair(intervals.reward)},
                     {"length", pair(intervals.length)}};
    if (env.spec().goal.dim == 0) {  // nothing says what a success would be
      for (const char* key : {"success", "success_any"}) j[key] = j["interval"][key] = nullptr;
    }
    if (e.unstable > 0) j["unstable"] = e.unstable;
    if (agent && !o.random && !o.scripted)
      j["policy_step"] = step ? nlohmann::ordered_json(*step) : nlohmann::ordered_json();
    fmt::print("{}\n", j.dump());
  } else {
    const auto range = [](const Interval& i, int digits) {
      return std::isnan(i.low) ? "" : fmt::format(" [{:.{}f}, {:.{}f}]", i.low, digits, i.high, digits);
    };
    const std::string success =
        fmt::format("success at the last step {:.4f}{}, at any step {:.4f}{}, ", e.success, range(intervals.success, 4),
                    e.success_any, range(intervals.success_any, 4));
    print_line(fmt::format("{} episodes of {} (seed {}): {}return {:.3f}{}, length {:.1f}{}", e.episodes,
                           env.spec().name, o.seed, env.spec().goal.dim == 0 ? "" : success, e.mean_return,
                           range(intervals.reward, 3), e.length, range(intervals.length, 1)));
    if (step) fmt::print("  by the policy after {} environment steps of training\n", *step);
    for (const Evaluation::Category& k : e.categories)
      fmt::print("  {:<22} {} episodes{}\n", k.name, k.episodes,
                 k.episodes > 0 ? fmt::format(": success {:.4f}", k.success) : "");
  }
  return 0;
}

}  // namespace

void add_evaluate_command(CLI::App& app, int& status) {
  CLI::App* evaluate_command =
      app.add_subcommand("evaluate", "measure a trained policy, without exploration: means with their 95 % intervals");
  const auto o = std::make_shared<EvaluateOptions>();
  evaluate_command
      ->add_option("RUN", o->what,
                   "run directory or policy.h5; with --random or --scripted a name of `goalpost list envs`")
      ->required();
  CLI::Option* random_option = evaluate_command->add_flag("--random", o->random, "uniform random actions instead");
  evaluate_command->add_flag("--scripted", o->scripted, "the task's hand-written policy instead")
      ->excludes(random_option);
  evaluate_command
      ->add_option(
          "--episodes", o->episodes,
          "number of episodes; chains of sub-tasks are run whole, so there can be more, or fewer if a chain ends early")
      ->transform(integer(1, kMostCount));
  evaluate_command->add_option("--seed", o->seed, "random seed of starts and goals")->transform(integer(0, kMostSeed));
  evaluate_command->add_flag("--json", o->as_json, "print one JSON object");
  evaluate_command->add_option("--env", o->env,
                               "another environment for the policy, with its default settings: one with the same "
                               "observations, goals and actions");
  add_set_option(*evaluate_command, o->set, "another environment setting, e.g. env.goal_x=9");
  evaluate_command->callback([o, &status] {
    catch_interrupts();
    status = evaluate(*o);
  });
}

}  // namespace goalpost
