#include "run/rollout.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <span>
#include <system_error>

#include "core/text.h"
#include "run/experiment.h"
#include "run/fixed_policy.h"
#include "run/policy_file.h"
#include "run/rollout_input.h"
#include "storage/config_text.h"
#include "storage/episode_format.h"
#include "storage/episode_recorder.h"
#include "storage/episode_writer.h"
#include "storage/file.h"

namespace goalpost {
namespace {

std::vector<std::string> numbered(const char* name, Index count) {
  std::vector<std::string> names;
  for (Index i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", name, i));
  return names;
}

template <class Column>
void append_values(std::string& line, const Column& column) {
  for (Index i = 0; i < column.size(); ++i) line += fmt::format(",{}", column(i));
}

}  // namespace

std::string environment_toml(const std::string& env, const std::vector<std::string>& set) {
  const std::unique_ptr<EnvSettings> settings = environment_settings(env, set);
  BuildInfo build = BuildInfo::current();
  return to_toml([&](ConfigVisitor& v) {
    v.enter({"env", "", "", 0, 0});
    std::string name = env;
    v.visit({"name", "", "", 0, 0}, name);
    settings->visit(v);
    v.leave();
    v.enter({"build", "", "", 0, 0});
    visit_fields(build, v);
    v.leave();
  });
}

void rollout(const RolloutOptions& o, const std::function<bool()>& stop) {
  for (const std::filesystem::path& file : {o.out, o.record})
    if (!file.empty()) expect_new(file);
  const auto place = [](const std::filesystem::path& p) { return std::filesystem::weakly_canonical(absolute(p)); };
  if (!o.out.empty() && !o.record.empty() && !std::filesystem::exists(o.out) && place(o.out) == place(o.record))
    throw UsageError(fmt::format("--out and --record are both {}; expected two files", o.out.string()));
  EnvFactory make_env;
  std::unique_ptr<Agent> agent;
  std::string config;  // stored with recorded episodes
  if (!o.policy.empty()) {
    LoadedRun run = load_run(o.policy, o.set, o.env, true);
    if (run.step)
      print_error(
          fmt::format("goalpost: {}: the policy after {} environment steps of training", o.policy.string(), *run.step));
    make_env = run.experiment.eval_env_factory();
    agent = std::move(run.agent);
    config = run.experiment.to_toml();
  } else {
    make_env = make_environment(o.env, o.set, static_cast<std::uint64_t>(o.seed));
    config = environment_toml(o.env, o.set);
  }

  const Rng rng(static_cast<std::uint64_t>(o.seed));
  VectorEnv env(make_env, 1, rng.stream("rollout"));
  const EnvSpec& spec = env.spec();
  if (o.random) agent = make_random_policy(spec, rng.stream("action"));
  if (o.scripted) agent = make_scripted_policy(spec);
  const Eigen::MatrixXd actions = o.actions.empty() ? Eigen::MatrixXd() : read_actions(o.actions, spec);
  Matrix action(spec.action.dim, 1);
  const std::vector<std::string> coordinates = env.lane(0).coordinate_names();
  if ((o.with_state || !o.state.empty()) && coordinates.empty())
    throw UsageError(fmt::format("{} has no simulator state to set or show; expected no {}", spec.name,
                                 o.with_state ? "--with-state" : "--state"));
  if (!o.state.empty()) env.set_coordinates(0, read_coordinates(o.state, coordinates, spec.name));
  if (o.with_state) env.keep_coordinates();

  std::vector<std::string> header = {"episode", "step", "reward", "terminated", "truncated", "success"};
  const auto add = [&](const std::vector<std::string>& names) {
    header.insert(header.end(), names.begin(), names.end());
  };
  add(numbered("obs", spec.obs_dim));
  add(numbered("achieved", spec.goal.dim));
  add(numbered("desired", spec.goal.dim));
  if (o.with_state) add(coordinates);
  if (o.with_actions) add(numbered("a", spec.action.dim));
  std::string text = fmt::format("{}\n", fmt::join(header, ","));

  EpisodeStage stage(spec, 1, EpisodePurpose::rollout);
  EpisodeBlock recorded;
  std::unique_ptr<EpisodeFileWriter> writer;
  if (!o.record.empty()) {
    try {
      writer = std::make_unique<EpisodeFileWriter>(
          o.record, EpisodeHeader::of(spec, static_cast<std::uint64_t>(o.seed), config), false);
    } catch (const std::runtime_error& e) {
      if (is_of_machine(e)) throw;
      throw UsageError(e.what());
    }
  }
  Index whole = 0;  // recorded
  const auto record_episode = [&] {
    stage.move_episode(0, 0, recorded);
    writer->append(recorded);
    recorded.clear();
    ++whole;
  };

  Eigen::VectorXd state(static_cast<Index>(coordinates.size()));
  const auto write_reset = [&](Index episode) {
    text += fmt::format("{},-1,,,,", episode);
    append_values(text, env.obs().obs.col(0));
    append_values(text, env.obs().achieved.col(0));
    append_values(text, env.obs().desired.col(0));
    if (o.with_state) {
      env.lane(0).get_coordinates(std::span(state.data(), state.size()));
      append_values(text, state);
    }
    if (o.with_actions) text.append(spec.action.dim, ',');
    text += "\n";
  };

  Index episode = 0, t = 0;
  for (Index row = 0; o.actions.empty() ? episode < o.episodes : row < actions.cols(); ++row) {
    if (stop()) break;
    if (t == 0) write_reset(episode);
    if (agent) agent->act(env.obs(), env.first(), Mode::exploit, action);
    const StepBatch& step = o.actions.empty() ? env.step(action) : env.step_in_unit(actions.col(row));
    text += fmt::format("{},{},{},{},{},{}", episode, t++, step.reward(0, 0), step.terminated[0], step.truncated[0],
                        step.success[0]);
    append_values(text, step.after.obs.col(0));
    append_values(text, step.after.achieved.col(0));
    append_values(text, step.after.desired.col(0));
    if (o.with_state) append_values(text, env.coordinates().col(0));
    if (o.with_actions) append_values(text, env.action_in_unit().col(0));
    text += "\n";
    if (writer) {
      stage.add(step, 0);
      if (step.ended(0)) record_episode();
    }
    if (step.ended(0)) {
      ++episode;
      t = 0;
    }
  }
  if (writer) {
    // The episode is truncated if the actions are used up; an interrupted one is not recorded.
    if (stage.steps(0) > 0 && !stop()) record_episode();
    if (whole > 0)
      writer->close();
    else
      print_error(fmt::format("goalpost: no episode has ended: {} is not written", o.record.string()));
  }
  if (!o.out.empty())
    write_file_atomically(o.out, text);
  else if (!o.record.empty() && whole == 0)
    return;  // said above
  else if (!o.record.empty())
    fmt::print("{} episode{} recorded in {}\n", whole, whole == 1 ? "" : "s", o.record.string());
  else if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot write to standard output");
}

}  // namespace goalpost
