// goalpost describe: every setting of an environment, algorithm, experiment or figure, or of the training loop.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "algos/registry.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/config.h"
#include "core/suggest.h"
#include "core/text.h"
#include "envs/registry.h"
#include "report/figure_config.h"
#include "run/experiment.h"
#include "storage/config_text.h"
#include "storage/toml.h"
#include "train/config.h"

namespace goalpost {
namespace {

void print_fields(const std::function<void(ConfigVisitor&)>& visit) {
  const std::vector<FieldText> fields = describe_fields(visit);
  std::size_t path_width = 0, value_width = 0;
  for (const FieldText& f : fields) {
    path_width = std::max(path_width, std::min<std::size_t>(f.path.size(), 36));
    value_width = std::max(value_width, std::min<std::size_t>(f.value.size(), 16));
  }
  for (const FieldText& f : fields) {
    std::string text = f.doc;
    if (!f.range.empty()) text += fmt::format("; {}", f.range);
    if (!f.source.empty()) text += fmt::format("  ({})", f.source);
    fmt::print("{}\n", wrapped(fmt::format("  {:<{}} {:<{}} {}", f.path, path_width, f.value, value_width, text),
                               output_width(), 8));
  }
}

int describe(const std::string& name, const std::vector<std::string>& set) {
  std::vector<std::string_view> all;
  for (const EnvEntry& e : environments()) {
    if (e.name == name) {
      const std::unique_ptr<Settings> settings = e.settings();
      const EnvSpec spec = e.world(*settings)()->spec();
      fmt::print("{}\n", wrapped(fmt::format("{}: {}", e.name, e.doc), output_width(), 2));
      fmt::print("  observation {}, goal {}, action {}, time limit {} steps{}\n", spec.obs_dim,
                 spec.goal.dim == 0 ? "none" : std::to_string(spec.goal.dim),
                 spec.action.kind == ActionSpace::Kind::discrete ? fmt::format("one of {}", spec.action.choices)
                                                                 : fmt::format("{} numbers", spec.action.dim),
                 spec.max_steps, spec.dt > 0 ? fmt::format(" of {} s", spec.dt) : "");
      print_fields([&](ConfigVisitor& v) { settings->visit(v); });
      return 0;
    }
    all.push_back(e.name);
  }
  for (const AlgorithmEntry& a : algorithms()) {
    if (a.name == name) {
      fmt::print("{}: {}\nsettings below [agent]:\n", a.name, a.doc);
      const std::unique_ptr<Settings> settings = a.settings();
      print_fields([&](ConfigVisitor& v) { settings->visit(v); });
      return 0;
    }
    all.push_back(a.name);
  }
  if (name == "train") {
    fmt::print("the training loop\nsettings below [train]:\n");
    TrainConfig train;
    print_fields([&](ConfigVisitor& v) { visit_fields(train, v); });
    return 0;
  }
  all.push_back("train");
  const std::vector<std::string> experiments = experiment_names();
  if (is_figure(name)) {
    FigureConfig figure = load_figure(name);
    fmt::print("{}: {}\n", name, figure.title);
    print_fields([&](ConfigVisitor& v) { visit_fields(figure, v); });
    return 0;
  }
  if (name.ends_with(".toml") || std::find(experiments.begin(), experiments.end(), name) != experiments.end()) {
    TomlValues values = load_experiment(name);
    set_all(values, set);
    Experiment e = make_experiment(values);
    fmt::print("{}\n", wrapped(e.description.empty() ? e.name : fmt::format("{}: {}", e.name, e.description),
                               output_width(), 2));
    print_fields([&](ConfigVisitor& v) { e.visit(v); });
    return 0;
  }
  all.insert(all.end(), experiments.begin(), experiments.end());
  const std::vector<std::string> figures = figure_names();
  all.insert(all.end(), figures.begin(), figures.end());
  std::string hint = did_you_mean(name, all);
  if (hint.empty()) hint = "; `goalpost list` shows everything that has a name";
  throw UsageError(fmt::format("nothing is called \"{}\"{}", name, hint));
}

struct DescribeOptions {
  std::string name;
  std::vector<std::string> set;
};

}  // namespace

void add_describe_command(CLI::App& app, int& status) {
  CLI::App* describe_command = app.add_subcommand(
      "describe", "every setting of an environment, algorithm, experiment or figure, or of the training loop");
  const auto o = std::make_shared<DescribeOptions>();
  describe_command->add_option("NAME", o->name, "its name, a TOML file, or train for the training loop")->required();
  add_set_option(*describe_command, o->set, "override a setting");
  describe_command->callback([o, &status] { status = describe(o->name, o->set); });
}

}  // namespace goalpost
