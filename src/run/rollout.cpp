#include "run/rollout.h"

#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "algos/noise.h"
#include "core/names.h"
#include "run/interrupt.h"
#include "run/runner.h"
#include "storage/csv.h"
#include "storage/file.h"

namespace goalpost {
namespace {

// Agents act in [-1, 1]; files give actions in the environment's unit.
void to_agent_unit(const ActionSpace& space, MatrixRef action) {
  if (space.kind == ActionSpace::Kind::discrete) return;
  action.array() = 2 * (action - space.low).array() / (space.high - space.low).array() - 1;
}

Matrix read_actions(const std::filesystem::path& file, const EnvSpec& spec) {
  CsvTable table;
  try {
    table = read_csv(file);
  } catch (const std::runtime_error& e) {
    throw UsageError(e.what());
  }
  if (table.rows() == 0) throw UsageError(fmt::format("{} holds no rows; expected one action per row", file.string()));
  Matrix actions(spec.action.dim, static_cast<Index>(table.rows()));
  for (int i = 0; i < spec.action.dim; ++i) {
    const std::string name = fmt::format("a{}", i);
    if (!table.has(name))
      throw UsageError(fmt::format("{} has no column {}; expected a0 to a{} for {}", file.string(), name,
                                   spec.action.dim - 1, spec.name));
    for (Index t = 0; t < actions.cols(); ++t) {
      const double a = table.column(name)[static_cast<std::size_t>(t)];
      const bool ok =
          spec.action.kind == ActionSpace::Kind::discrete
              ? a >= 0 && a < spec.action.choices && a == static_cast<int>(a)
              : a >= static_cast<double>(spec.action.low(i)) && a <= static_cast<double>(spec.action.high(i));
      if (!ok)
        throw UsageError(
            fmt::format("{}:{}: {} = {}; expected {}", file.string(), t + 2, name, a,
                        spec.action.kind == ActionSpace::Kind::discrete
                            ? fmt::format("an integer in [0, {}]", spec.action.choices - 1)
                            : fmt::format("a number in [{}, {}]", spec.action.low(i), spec.action.high(i))));
      actions(i, t) = Scalar(a);
    }
  }
  return actions;
}

void append_names(std::string& line, const char* name, Index count) {
  for (Index i = 0; i < count; ++i) line += fmt::format(",{}{}", name, i);
}

template <class Column>
void append_values(std::string& line, const Column& column) {
  for (Index i = 0; i < column.size(); ++i) line += fmt::format(",{}", column(i));
}

}  // namespace

void rollout(const RolloutOptions& o) {
  EnvFactory make_env;
  std::unique_ptr<Agent> agent;
  if (!o.policy.empty()) {
    LoadedRun run = load_run(o.policy);
    if (!o.env.empty() && o.env != run.experiment.env_name)
      throw UsageError(
          fmt::format("{} was trained on {}, not on {}", o.policy.string(), run.experiment.env_name, o.env));
    if (!o.set.empty()) throw UsageError("--set does not go with --policy: the run's own environment is used");
    make_env = run.experiment.env_factory();
    agent = std::move(run.agent);
  } else {
    const EnvEntry& entry = find_environment(o.env);
    const std::unique_ptr<Settings> settings = entry.settings();
    TomlValues values;
    for (const std::string& s : o.set) values.set(s);
    ConfigReader reader(values);
    reader.enter({"env", "", "", 0, 0});
    settings->visit(reader);
    reader.leave();
    const std::vector<std::string> problems = reader.problems();
    if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
    make_env = entry.factory(*settings);
  }

  const Rng rng(static_cast<std::uint64_t>(o.seed));
  VectorEnv env(make_env, 1, rng.stream("rollout"));
  Rng action_rng = rng.stream("action");
  const EnvSpec& spec = env.spec();
  const Matrix actions = o.actions.empty() ? Matrix() : read_actions(o.actions, spec);
  Matrix action(spec.action.dim, 1);

  std::string text = "episode,step,reward,terminated,truncated,success";
  append_names(text, "action", spec.action.dim);
  append_names(text, "obs", spec.obs_dim);
  append_names(text, "achieved", spec.goal.dim);
  append_names(text, "desired", spec.goal.dim);
  text += "\n";
  Index episode = 0, t = 0;
  for (Index row = 0; o.actions.empty() ? episode < o.episodes : row < actions.cols(); ++row) {
    if (interrupted()) break;
    if (agent) {
      agent->act(env.obs(), env.first(), Mode::exploit, action);
    } else if (o.random) {
      random_actions(spec.action, action_rng, action);
    } else {
      action = actions.col(row);
      to_agent_unit(spec.action, action);
    }
    const StepBatch& step = env.step(action);
    text += fmt::format("{},{},{},{},{},{}", episode, t++, step.reward(0, 0), step.terminated[0], step.truncated[0],
                        step.success[0]);
    append_values(text, step.action.col(0));
    append_values(text, step.after.obs.col(0));
    append_values(text, step.after.achieved.col(0));
    append_values(text, step.after.desired.col(0));
    text += "\n";
    if (step.ended(0)) {
      ++episode;
      t = 0;
    }
  }
  if (o.out.empty())
    std::fputs(text.c_str(), stdout);
  else
    write_file_atomically(o.out, text);
}

}  // namespace goalpost
