// goalpost dataset: looks at, checks, repairs, filters, merges and exchanges recorded episodes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/check.h"
#include "envs/spec.h"
#include "run/experiment.h"
#include "run/rollout.h"
#include "storage/dataset.h"
#include "storage/dataset_d4rl.h"
#include "storage/dataset_edit.h"
#include "storage/dataset_minari.h"
#include "storage/dataset_summary.h"
#include "storage/episode_format.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

int dataset_info(const std::filesystem::path& path) {
  const DatasetSummary s = check_dataset(path);
  const EpisodeHeader& h = s.header;
  fmt::print("{}: {} episodes, {} steps, {} in {} file{}\n", path.string(), s.episodes, s.steps,
             fmt::format("{:.1f} MB", static_cast<double>(s.bytes) / 1e6), s.files, s.files == 1 ? "" : "s");
  fmt::print("  environment     {}, seed {}\n", h.environment, h.seed);
  fmt::print("  observation {}, goal {}, action {}, time limit {} steps\n", h.obs_dim,
             h.goal_dim == 0 ? "none" : std::to_string(h.goal_dim),
             h.choices > 0 ? fmt::format("one of {}", h.choices) : fmt::format("{} numbers", h.action_dim),
             h.max_steps);
  fmt::print("  of training {}, of evaluations {}, of rollouts {}\n", s.by_purpose[0], s.by_purpose[1],
             s.by_purpose[2]);
  const double episodes = static_cast<double>(std::max<std::uint64_t>(s.episodes, 1));
  fmt::print("  mean length {:.1f}, mean return {:.3f}{}\n", static_cast<double>(s.steps) / episodes, s.mean_return,
             h.goal_dim == 0
                 ? ""
                 : fmt::format(", success at the last step {:.3f}", static_cast<double>(s.successes) / episodes));
  if (!h.has_failed) fmt::print("  {}\n", kGuessedFailures);
  return 0;
}

// @throws UsageError for a run directory without recorded episodes
void expect_episodes(const std::filesystem::path& path) {
  if (std::filesystem::is_regular_file(path / kConfigFile) && !std::filesystem::exists(episode_file(path)) &&
      !std::filesystem::exists(episode_parts(path)))
    throw UsageError(
        fmt::format("{} holds no recorded episodes; training with --set train.record=train, eval or all records them",
                    path.string()));
}

struct DatasetOptions {
  std::string action, out, format = "minari", env, purpose, steps;
  std::vector<std::string> paths;
  std::vector<std::string> set;
  bool compressed = false;
  EpisodeFilter filter;
};

constexpr const char* kDatasetActions[] = {"info", "check", "repair", "filter", "merge", "export", "import"};
constexpr const char* kPurposes[] = {"train", "eval", "rollout"};  // in the order of EpisodePurpose

std::pair<std::uint64_t, std::uint64_t> parse_steps(const std::string& text) {
  std::pair<std::uint64_t, std::uint64_t> range;
  const char* const end = text.data() + text.size();
  const auto [dash, first_error] = std::from_chars(text.data(), end, range.first);
  if (first_error == std::errc() && dash != end && *dash == '-') {
    const auto [stop, last_error] = std::from_chars(dash + 1, end, range.second);
    if (last_error == std::errc() && stop == end && range.first <= range.second) return range;
  }
  throw UsageError(fmt::format("--steps {}; expected two counts A-B with A <= B, e.g. 0-50000", text));
}

int dataset(DatasetOptions o) {
  const auto need = [&](const std::string& value, const char* option) {
    if (value.empty()) throw UsageError(fmt::format("dataset {}: {} is missing", o.action, option));
  };
  for (const std::string& path : o.paths)
    if (!std::filesystem::exists(path))
      throw UsageError(fmt::format("{}: there is no such file", path));
    else if (o.action != "check")
      expect_episodes(path);
  if (o.action != "merge" && o.paths.size() > 1)
    throw UsageError(fmt::format("dataset {}: {} paths; expected one (merge takes several)", o.action, o.paths.size()));
  const std::string& path = o.paths.front();
  for (std::size_t i = 0; i < std::size(kPurposes); ++i)
    if (o.purpose == kPurposes[i]) o.filter.purpose = static_cast<EpisodePurpose>(i);
  if (!o.steps.empty()) o.filter.steps = parse_steps(o.steps);
  try {
    if (o.action == "info") return dataset_info(path);
    std::optional<EnvSpec> spec;
    std::string config;
    if (!o.env.empty()) {
      spec = make_environment(o.env, o.set, 0)()->spec();
      config = environment_toml(o.env, o.set);
    }
    if (o.action == "check") {
      for (const std::string& sentence : check_files(path, spec, config)) fmt::print("{}\n", sentence);
      return 0;
    }
    need(o.out, "--out");
    if (o.action == "repair") {
      const std::string dropped = repair_dataset(path, o.out, o.compressed);
      fmt::print("{}\n", dropped.empty() ? fmt::format("{}: nothing wrong; copied to {}", path, o.out) : dropped);
    } else if (o.action == "filter") {
      fmt::print("{}\n", filter_dataset(path, o.filter, o.out, o.compressed));
    } else if (o.action == "merge") {
      fmt::print("{}\n", merge_datasets({o.paths.begin(), o.paths.end()}, o.out, o.compressed));
    } else if (o.action == "import") {
      need(o.env, "--env");
      import_dataset(path, *spec, o.out, o.compressed, config);
    } else if (o.format == "minari") {
      export_minari(path, o.out, o.compressed);
    } else {
      export_d4rl(path, o.out, o.compressed);
    }
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(e.what());
  }
  return 0;
}

}  // namespace

void add_dataset_command(CLI::App& app, int& status) {
  CLI::App* dataset_command =
      app.add_subcommand("dataset", "look at, repair, filter, merge and exchange recorded episodes");
  const auto o = std::make_shared<DatasetOptions>();
  dataset_command->add_option("ACTION", o->action, "info, check, repair, filter, merge, export or import")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kDatasetActions), std::end(kDatasetActions))));
  dataset_command
      ->add_option("PATH", o->paths,
                   "file of episodes, or run directory; merge: several; import: a Minari or D4RL dataset; check: "
                   "any of these, a policy or a checkpoint")
      ->required();
  dataset_command->add_option("--out", o->out, "what repair, filter, merge, export and import write; must be new");
  dataset_command->add_option("--format", o->format, "file format that export writes")
      ->check(CLI::IsMember({"minari", "d4rl"}));
  dataset_command->add_option("--env", o->env,
                              "the environment that the episodes are of: for an import, to check a Minari or D4RL "
                              "dataset, or to check that a file of episodes is of this one");
  add_set_option(*dataset_command, o->set, "an environment setting, e.g. env.bits=20");
  dataset_command->add_flag("--compressed", o->compressed, "shuffle and deflate what is written");
  std::vector<CLI::Option*> filters;
  const auto filter_option = [&](const char* option, auto& value, const char* doc) {
    filters.push_back(dataset_command->add_option(option, value, std::string("filter: ") + doc)->default_str(""));
    return filters.back();
  };
  filters.push_back(
      dataset_command->add_flag("--success", o->filter.success, "filter: only episodes whose last step is a success"));
  filters.push_back(
      dataset_command->add_flag("--failed", o->filter.failed, "filter: only episodes that ended by a failure"));
  filter_option("--purpose", o->purpose, "only episodes of training, of evaluations or of rollouts")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kPurposes), std::end(kPurposes))));
  filter_option("--min-return", o->filter.min_return, "only episodes with at least this undiscounted return")
      ->check(number());
  filter_option("--max-return", o->filter.max_return, "only episodes with at most this undiscounted return")
      ->check(number());
  filter_option("--first", o->filter.first, "at most this many of the episodes left")
      ->transform(integer(1, kMostCount));
  filter_option("--steps", o->steps, "only episodes that ended at these transitions of the run, A-B, both included");
  dataset_command->callback([o, filters, &status] {
    for (const CLI::Option* option : filters)
      if (option->count() > 0 && o->action != "filter")
        throw UsageError(fmt::format("dataset {}: {} is an option of filter", o->action, option->get_name()));
    status = dataset(*o);
  });
}

}  // namespace goalpost
