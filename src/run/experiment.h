// An experiment: a whole run as data, read from and written to TOML.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "algos/registry.h"
#include "core/config.h"
#include "envs/registry.h"
#include "run/build_info.h"
#include "storage/config_text.h"
#include "storage/toml.h"
#include "train/config.h"

namespace goalpost {

/// The published result that an experiment reproduces.
struct SourceConfig {
  std::string paper, row, claim;
  double expected_success = 0;
  std::optional<double> expected_return = {};
};
constexpr auto fields(const SourceConfig*) {
  return std::tuple{
      field("paper", &SourceConfig::paper, "the publication, with its version"),
      field("row", &SourceConfig::row, "the experiment's identifier"),
      field("claim", &SourceConfig::claim, "the reported result, in a sentence"),
      field("expected_success", &SourceConfig::expected_success,
            "expected success of the final evaluation, at least; 0: none", 0, 1),
      field("expected_return", &SourceConfig::expected_return,
            "expected mean return of the final evaluation, at least; none if left out"),
  };
}
static_assert(complete<SourceConfig>);

/// A whole run as data: the TOML files in src/experiments, and config.toml of a run directory.
struct Experiment {
  std::string name, label, description;
  std::int64_t seed = 1;
  SourceConfig source;
  TrainConfig train;
  std::string env_name, algorithm;
  std::unique_ptr<EnvSettings> env_settings;
  std::unique_ptr<Settings> agent_settings;
  BuildInfo build;
  bool without_goal = false;  ///< of the environment; make_experiment knows

  /// Every field, in the order of the file. @pre env_name and algorithm are known and their settings exist
  void visit(ConfigVisitor& v);
  /// With the current build.identity.
  std::string to_toml();
  /// The settings that the trained policy depends on, and the names: equal for runs that differ only in files and
  /// threads.
  std::string policy_toml();
  /// Hash of settings(), build and seed, 16 hexadecimal digits: equal for runs that compute the same bits, else
  /// different.
  std::string identity() const;
  /// Every setting that affects results, including the seed, as TOML text by path.
  std::map<std::string, std::string> settings() const;
  /// Whether train.total_episodes ends a run before train.total_steps does, if episodes have their full length.
  bool ends_by_episodes() const;
  /// Whether its runs are judged by their mean return, as there is no goal or the source expects one, and not by
  /// success.
  bool measures_return() const { return without_goal || source.expected_return.has_value(); }
  EnvFactory env_factory() const {
    return find_environment(env_name).factory(*env_settings, Rng(static_cast<std::uint64_t>(seed)));
  }
  /// The environment of evaluations, with the changes of train.eval_env. @throws UsageError as environment_settings
  EnvFactory eval_env_factory() const;
  /// @param lanes 0: the agent only acts, and allocates no memory for learning
  std::unique_ptr<Agent> make_agent(const EnvSpec& spec, int lanes, Rng rng) const {
    return find_algorithm(algorithm).make(*agent_settings, spec, lanes, rng);
  }
};

/// Makes an experiment from TOML values and checks it: types, ranges, unknown keys, and relations between fields.
/// Former names of settings are accepted without a note: files of earlier versions have them.
/// @throws UsageError with all problems, one per line
Experiment make_experiment(const TomlValues& values);

/// The settings of an environment: its defaults, changed by "env.key=value".
/// @throws UsageError for an unknown name, or with all problems of the settings, one per line
std::unique_ptr<EnvSettings> environment_settings(const std::string& env, const std::vector<std::string>& set);
/// The environment with these settings. Former names are noted on stderr. @throws UsageError as environment_settings
EnvFactory make_environment(const std::string& env, const std::vector<std::string>& set, std::uint64_t seed);
/// A note on stderr for each former name in assignments to settings of an environment, "env.key=value".
void note_former_names(EnvSettings& settings, const std::vector<std::string>& set);

/// The settings in which two experiments differ, as sentences with path and both values; [build] is left out.
/// @param matters whether a field is compared
std::vector<std::string> differences(const Experiment& a, const std::string& name_a, const Experiment& b,
                                     const std::string& name_b,
                                     const std::function<bool(const FieldText& field)>& matters);

/// The directory of the experiments' files.
std::filesystem::path experiment_directory();
/// Names of all experiments, sorted.
std::vector<std::string> experiment_names();
/// The values of an experiment: a name in experiment_directory(), or the path of a TOML file. A file that `extends`
/// another one, by name or by a path relative to itself, inherits all values that it does not set, except the name, the
/// label (which is the name, then) and the description, and except [source] if it sets nothing of that. It keeps
/// source.expected_return, by which runs are measured.
/// @throws UsageError for an unknown name, with the nearest known one, or files that extend each other
TomlValues load_experiment(const std::string& name_or_file);
/// Changes an experiment's values by assignments "key=value", with goalpost's names or those of run/aliases.h, and a
/// note on stderr for each of the latter. @throws UsageError as TomlValues::set, resolve_former_names, resolve_aliases
void set_all(TomlValues& values, const std::vector<std::string>& set);

}  // namespace goalpost
