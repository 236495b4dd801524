// goalpost plan: writes down which runs there are, for `goalpost work`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "algos/registry.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/planned_runs.h"
#include "core/check.h"
#include "core/suggest.h"
#include "core/text.h"
#include "report/figure_config.h"
#include "report/group.h"
#include "run/build_info.h"
#include "run/experiment.h"
#include "run/plan.h"
#include "storage/file.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

struct PlanOptions {
  std::vector<std::string> what, set, values;
  std::string seeds, out;
  bool quick = false;
};

// @throws UsageError for a value that is empty
std::vector<std::string> values_of(const char* option, const std::string& text, const std::string& list) {
  std::vector<std::string> values = split_list(list);
  if (values.empty() || fmt::format("{}", fmt::join(values, ",")) != list)
    throw UsageError(fmt::format("{} {}: a value is empty; expected one between commas", option, text));
  return values;
}

// "key=a,b" as {"key=a", "key=b"}; brackets and quotes hold lists and texts together.
std::vector<std::string> assignments_of(const std::string& set) {
  const std::size_t equals = set.find('=');
  if (equals == set.npos) return {set};
  std::vector<std::string> all;
  for (const std::string& value : values_of("--set", set, set.substr(equals + 1)))
    all.push_back(set.substr(0, equals + 1) + value);
  return all;
}

std::string name_of(const std::string& what) {
  return what.ends_with(".toml") ? std::filesystem::path(what).stem().string() : what;
}

// @throws UsageError if files that the run begins with are missing
void check_inputs(const PlannedRun& run) {
  const Experiment e = experiment_of(run);
  const OffPolicyConfig* c = find_algorithm(e.algorithm).off_policy(*e.agent_settings);
  if (c != nullptr && !c->replay.dataset.empty() && !std::filesystem::exists(c->replay.dataset))
    throw UsageError(fmt::format("{}: agent.replay.dataset: there is no {} here", run.name(), c->replay.dataset));
}

// @throws UsageError where neither a figure nor an experiment has this name
void expect_to_know(const std::string& what) {
  if (what.ends_with(".toml")) return;
  std::vector<std::string> names = experiment_names();
  for (std::string& name : figure_names()) names.push_back(std::move(name));
  if (std::find(names.begin(), names.end(), what) != names.end()) return;
  std::string hint = did_you_mean(what, {names.begin(), names.end()});
  if (hint.empty()) hint = "; `goalpost list` shows them all";
  throw UsageError(fmt::format("plan: no figure or experiment is called \"{}\"{}", what, hint));
}

int plan(const PlanOptions& o) {
  RunRequest request{.seeds = {}, .set = {}, .lists = {}, .values = {}, .quick = o.quick};
  request.seeds = parse_seed_count(o.seeds);
  std::set<std::string> keys, listed;
  for (const std::string& set : o.set) {
    const std::string key = set.substr(0, set.find('='));
    std::vector<std::string> values = assignments_of(set);
    if (values.size() > 1) listed.insert(key);
    if (!keys.insert(key).second && listed.contains(key))
      throw UsageError(fmt::format("--set {}: {} is set twice; expected all its values in one list", set, key));
    if (values.size() == 1)
      request.set.push_back(values.front());
    else
      request.lists.push_back(std::move(values));
  }
  for (const std::string& list : o.values)
    for (const std::string& value : values_of("--values", list, list)) request.values.push_back(value);
  const std::filesystem::path out =
      o.out.empty() ? std::filesystem::path("runs") / "plan" / name_of(o.what.front()) : std::filesystem::path(o.out);
  Plan plan{.directory = out, .build = BuildInfo::current(), .runs = {}};
  for (const std::string& what : o.what) {
    if (std::any_of(algorithms().begin(), algorithms().end(), [&](const auto& a) { return a.name == what; }))
      throw UsageError(fmt::format(
          "{0} is an algorithm; expected an experiment: of an algorithm and an environment that is a TOML file "
          "with agent.algorithm = \"{0}\" and env.name, or `goalpost train {0} ENVIRONMENT --seed 1-5`",
          what));
    if (what.ends_with(".toml")) expect_no_stream(what);
    expect_to_know(what);
    std::vector<PlannedRun> runs =
        is_figure(what) ? figure_runs(load_figure(what), what, request, out) : experiment_runs(what, request, out);
    plan.runs.insert(plan.runs.end(), std::make_move_iterator(runs.begin()), std::make_move_iterator(runs.end()));
  }
  for (const PlannedRun& run : plan.runs)  // once for each setting
    if (run.seed == plan.runs.front().seed) check_inputs(run);
  make_directories(out);
  {
    std::optional<DirectoryLock> lock;
    try {
      lock.emplace(out);
    } catch (const std::runtime_error& e) {
      throw UsageError(fmt::format("{}; expected another --out, or to wait for it", e.what()));
    }
    write_plan(plan, false);
  }

  std::map<std::string, std::set<std::string>> settings;
  std::set<std::int64_t> seeds;
  for (const PlannedRun& run : plan.runs) {
    settings[run.experiment].insert(run.setting);
    seeds.insert(run.seed);
  }
  if (plan.runs.size() == 1)
    fmt::print("{}: 1 run, number 0\n", out.string());
  else
    fmt::print("{}: {} runs, numbers 0 to {}\n", out.string(), plan.runs.size(), plan.runs.size() - 1);
  for (const auto& [experiment, all] : settings)
    fmt::print("  {}: {} setting{}, {} seed{}\n", experiment, all.size(), all.size() == 1 ? "" : "s", seeds.size(),
               seeds.size() == 1 ? "" : "s");
  print_line(fmt::format(
      "next: `goalpost work {0}`, on any machines that share it; `goalpost status {0}` shows how far they are",
      out.string()));
  return 0;
}

}  // namespace

void add_plan_command(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("plan", "write down many runs, for `goalpost work` on one or many machines");
  const auto o = std::make_shared<PlanOptions>();
  command
      ->add_option("FIGURE|EXPERIMENT", o->what,
                   "names of `goalpost list figures` and `goalpost list experiments`, or TOML files")
      ->required();
  command->add_option("--seeds", o->seeds,
                      "how many, or a range or list, 1-5 or 1,4,7. Default: as the figure says; of an experiment 1-5");
  add_set_option(*command, o->set, "a setting of every run; KEY=A,B tries each value with each one of other lists");
  command->add_option("--values", o->values, "values on the figure's x axis instead of its own, e.g. 10,20")
      ->allow_extra_args(false);
  command->add_flag("--quick", o->quick, "a small part of the figure's runs, in minutes");
  command->add_option("--out", o->out, "directory of the plan. Default: runs/plan/<the first name>");
  command->callback([o, &status] {
    expect_directory(o->out);
    status = plan(*o);
  });
}

}  // namespace goalpost
