// goalpost list: environments, algorithms, experiments and figures, a line each.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "algos/registry.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/text.h"
#include "envs/registry.h"
#include "report/figure_config.h"
#include "run/experiment.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

int list(const std::string& what) {
  std::size_t width = 0;  // of the names
  for (const EnvEntry& e : environments()) width = std::max(width, e.name.size());
  for (const std::string& name : experiment_names()) width = std::max(width, name.size());
  const auto print_entry = [width](const char* indent, const std::string& name, const std::string& text) {
    fmt::print("{}\n", wrapped(fmt::format("{}{:<{}} {}", indent, name, width, text), output_width(),
                               std::min(width + 1 + std::string_view(indent).size(), output_width() / 2)));
  };
  const auto heading = [&](const char* name) {
    if (what.empty()) fmt::print("{}:\n", name);
    return what.empty() ? "  " : "";
  };
  if (what.empty() || what == "envs") {
    const char* indent = heading("envs");
    for (const EnvEntry& e : environments()) print_entry(indent, e.name, e.doc);
  }
  if (what.empty() || what == "algos") {
    const char* indent = heading("algos");
    for (const AlgorithmEntry& a : algorithms()) print_entry(indent, a.name, a.doc);
  }
  if (what.empty() || what == "experiments") {
    const char* indent = heading("experiments");
    for (const std::string& name : experiment_names()) {
      try {
        const TomlValues values = load_experiment(name);  // not checked as a whole: that would build its world
        const TomlValues::Value* description = values.find("description");
        const auto* text = description == nullptr ? nullptr : std::get_if<std::string>(&description->value);
        print_entry(indent, name, text == nullptr ? "" : *text);
      } catch (const UsageError& e) {
        print_error(fmt::format("goalpost: {}: {}; left out", name, e.what()));
      }
    }
  }
  if (what.empty() || what == "figures") {
    const char* indent = heading("figures");
    for (const std::string& name : figure_names()) print_entry(indent, name, load_figure(name).title);
  }
  return 0;
}

}  // namespace

void add_list_command(CLI::App& app, int& status) {
  CLI::App* list_command = app.add_subcommand("list", "list environments, algorithms, experiments and figures");
  const auto name = std::make_shared<std::string>();
  list_command->add_option("WHAT", *name, "envs, algos, experiments or figures; all if left out")
      ->check(CLI::IsMember({"envs", "algos", "experiments", "figures"}))
      ->default_str("");
  list_command->callback([name, &status] { status = list(*name); });
}

}  // namespace goalpost
