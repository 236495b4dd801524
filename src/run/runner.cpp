#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/parallel.h"
#include "run/interrupt.h"
#include "run/progress.h"
#include "storage/checkpoint.h"
#include "storage/file.h"
#include "storage/run_log.h"

namespace goalpost {
namespace {

constexpr char kPolicyFile[] = "policy.h5", kPolicyKind[] = "goalpost policy", kResultFile[] = "result.json";

// Turns a progress into the rows of train.csv and eval.csv. The tags are those of Stable-Baselines3.
class RunRecorder {
 public:
  explicit RunRecorder(RunLog& log) : log_(log) {}

  void write(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) {
    const double episodes = static_cast<double>(p.episodes), updates = static_cast<double>(p.updates);
    log_.write("eval", p.step,
               std::vector<RunLog::Column>{{"updates", updates, ""},
                                           {"episodes", episodes, ""},
                                           {"wall_seconds", p.wall_seconds, ""},
                                           {"success", e.success, "eval/success_rate"},
                                           {"success_any", e.success_any, "eval/success_any_rate"},
                                           {"return", e.reward, "eval/mean_reward"},
                                           {"length", e.length, "eval/mean_ep_length"}});
    std::vector<RunLog::Column> row = {
        {"updates", updates, ""}, {"episodes", episodes, ""}, {"wall_seconds", p.wall_seconds, ""}};
    if (p.episodes > 0) {
      row.push_back({"success", p.success, "rollout/success_rate"});
      row.push_back({"success_any", p.success_any, "rollout/success_any_rate"});
      row.push_back({"return", p.reward, "rollout/ep_rew_mean"});
      row.push_back({"length", p.length, "rollout/ep_len_mean"});
    }
    const double seconds = p.wall_seconds - last_.wall_seconds;
    if (p.step > last_.step && seconds > 0) {
      row.push_back({"steps_per_second", static_cast<double>(p.step - last_.step) / seconds, "time/fps"});
      row.push_back(
          {"updates_per_second", static_cast<double>(p.updates - last_.updates) / seconds, "time/updates_per_second"});
    }
    for (const Metrics::Slot& m : metrics) row.push_back({m.name.substr(m.name.find('/') + 1), m.mean(), m.name});
    log_.write("train", p.step, row);
    last_ = p;
  }

 private:
  RunLog& log_;
  TrainProgress last_;
};

// For TensorBoard's HPARAMS tab; runs that differ in nothing but the seed form a group.
void log_hparams(Experiment& e, RunLog& log) {
  std::vector<EventFile::Hparam> hparams;
  std::string group;
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); })) {
    if (!f.path.starts_with("env.") && !f.path.starts_with("train.") && !f.path.starts_with("agent.") &&
        f.path != "seed")
      continue;
    if (f.is_number)
      hparams.push_back({f.path, std::stod(f.value)});
    else
      hparams.push_back({f.path, f.value});
    if (f.path != "seed") group += f.path + "=" + f.value + " ";
  }
  const std::string metric = "eval/success_rate";
  log.events().add_hparams(hparams, std::span(&metric, 1),
                           fmt::format("{} {:016x}", e.name, std::hash<std::string>()(group)));
}

nlohmann::ordered_json to_json(const RunResult& r) {
  return {{"experiment", r.experiment},
          {"seed", r.seed},
          {"end", r.end},
          {"steps", r.progress.step},
          {"episodes", r.progress.episodes},
          {"updates", r.progress.updates},
          {"wall_seconds", r.progress.wall_seconds},
          {"final",
           {{"episodes", r.final.episodes},
            {"success", r.final.success},
            {"success_any", r.final.success_any},
            {"return", r.final.reward},
            {"length", r.final.length}}},
          {"revision", r.revision},
          {"cpu", r.cpu}};
}

}  // namespace

std::filesystem::path default_directory(const Experiment& e) {
  return std::filesystem::path("runs") / e.name / fmt::format("seed_{}", e.seed);
}

int evaluation_lanes(int episodes) { return std::min(episodes, 100); }

std::optional<RunResult> train_in_directory(Experiment& e, const std::filesystem::path& directory, bool quiet) {
  const TrainConfig& c = e.train;
  RunLog::check_unused(directory);
  set_compute_threads(c.threads);
  // Everything that can fail is made before the directory, so that a failure leaves nothing behind.
  const Rng rng(static_cast<std::uint64_t>(e.seed));
  const EnvFactory make_env = e.env_factory();
  VectorEnv env(make_env, c.lanes, rng.stream("train"), c.threads);
  VectorEnv eval_env(make_env, evaluation_lanes(c.eval_episodes), rng.stream("eval"), c.threads);
  const std::unique_ptr<Agent> agent = e.make_agent(env.spec(), c.lanes, rng.stream("agent"));

  const std::string config = e.to_toml();
  RunLog log(directory, config);
  log.note("config", "```toml\n" + config + "```");
  log_hparams(e, log);
  RunRecorder recorder(log);
  const bool by_episodes = c.total_episodes > 0;
  Progress bar(fmt::format("{} seed {}", e.name, e.seed), by_episodes ? c.total_episodes : c.total_steps,
               by_episodes ? "episode" : "step", {.first = 0, .quiet = quiet, .descriptor = 2});
  Evaluation last;
  Run run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = rng.stream("run"), .on_evaluation = {}};
  const auto start = std::chrono::steady_clock::now();
  run.on_evaluation = [&](const TrainProgress& p, const Evaluation& evaluation, const Metrics& metrics) {
    last = evaluation;
    save_state(directory / kPolicyFile, kPolicyKind, [&](StateVisitor& v) { agent->visit_policy(v); });
    recorder.write(p, evaluation, metrics);
  };
  int calls = 0;
  run.on_step = [&](const TrainProgress& p) {
    if (quiet || ++calls % 16 != 0) return;  // reading the clock and formatting cost more than a small step
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    bar.update(by_episodes ? p.episodes : p.step,
               fmt::format("steps={} steps/s={} updates/s={} success={:.2f} train_success={:.2f}", format_count(p.step),
                           format_count(static_cast<std::int64_t>(static_cast<double>(p.step) / seconds)),
                           format_count(static_cast<std::int64_t>(static_cast<double>(p.updates) / seconds)),
                           last.success, p.success));
  };
  run.stop = interrupted;

  const TrainEnd end = train(run, c);
  if (end == TrainEnd::interrupted) {
    bar.finish();
    return std::nullopt;
  }
  save_state(directory / kPolicyFile, kPolicyKind, [&](StateVisitor& v) { agent->visit_policy(v); });
  VectorEnv final_env(make_env, evaluation_lanes(c.final_eval_episodes), rng.stream("final"), c.threads);
  RunResult result{.experiment = e.name,
                   .seed = e.seed,
                   .revision = e.build.revision,
                   .cpu = e.build.cpu,
                   .end = end == TrainEnd::success ? "success" : "budget",
                   .progress = run.progress,
                   .final = evaluate(*agent, final_env, c.final_eval_episodes, rng.stream("final"), interrupted)};
  bar.finish();
  if (result.final.episodes < c.final_eval_episodes) return std::nullopt;
  write_file_atomically(directory / kResultFile, to_json(result).dump(2) + "\n");
  return result;
}

std::optional<RunResult> read_result(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kResultFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    std::ifstream in(file);
    const nlohmann::json j = nlohmann::json::parse(in);
    RunResult r;
    r.experiment = j.at("experiment");
    r.seed = j.at("seed");
    r.end = j.at("end");
    r.progress.step = j.at("steps");
    r.progress.episodes = j.at("episodes");
    r.progress.updates = j.at("updates");
    r.progress.wall_seconds = j.at("wall_seconds");
    const nlohmann::json& f = j.at("final");
    r.final = {.episodes = f.at("episodes"),
               .success = f.at("success"),
               .success_any = f.at("success_any"),
               .reward = f.at("return"),
               .length = f.at("length")};
    r.revision = j.at("revision");
    r.cpu = j.at("cpu");
    return r;
  } catch (const nlohmann::json::exception& e) {
    throw std::runtime_error(fmt::format("{}: not a result of a run: {}", file.string(), e.what()));
  }
}

LoadedRun load_run(const std::filesystem::path& directory) {
  const std::filesystem::path config = directory / "config.toml", policy = directory / kPolicyFile;
  if (!std::filesystem::is_regular_file(config))
    throw UsageError(fmt::format("{} is not a run directory: it holds no config.toml", directory.string()));
  if (!std::filesystem::is_regular_file(policy))
    throw UsageError(
        fmt::format("{} holds no {}: the run ended before its first evaluation", directory.string(), kPolicyFile));
  LoadedRun run;
  run.experiment = make_experiment(TomlValues::from_file(config));
  const EnvFactory make_env = run.experiment.env_factory();
  run.spec = make_env()->spec();
  run.agent = run.experiment.make_agent(run.spec, run.experiment.train.lanes, Rng(0));
  load_state(policy, kPolicyKind, [&](StateVisitor& v) { run.agent->visit_policy(v); });
  return run;
}

}  // namespace goalpost
