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

/// What an experiment claims to reproduce.
struct SourceConfig {
  std::string paper, row, claim;
  double expected_success = 0;
  std::optional<double> expected_return = {};
};
constexpr auto fields(const SourceConfig*) {
  return std::tuple{
      field("paper", &SourceConfig::paper, "the publication, with its version"),
      field("row", &SourceConfig::row, "the experiment's identifier"),
      field("claim", &SourceConfig::claim, "what is reported, in a sentence"),
      field("expected_success", &SourceConfig::expected_success,
            "success that the final evaluation is expected to reach; 0: none", 0, 1),
      field("expected_return", &SourceConfig::expected_return,
            "mean return that the final evaluation is expected to reach; none if left out"),
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

  /// Every field, in the order of the file. @pre env_name and algorithm are known and their settings exist
  void visit(ConfigVisitor& v);
  /// With build.identity as it is now.
  std::string to_toml();
  /// What the trained policy depends on, and the names: the same for runs that differ in files and threads only.
  std::string policy_toml();
  /// 16 hexadecimal digits: equal for runs that compute the same bits, else different. Over settings(), build and seed.
  std::string identity() const;
  /// Every setting that affects results, as TOML text by path; the seed among them.
  std::map<std::string, std::string> settings() const;
  /// Whether its runs are judged by their mean return, which its source expects, and not by success.
  bool measures_return() const { return source.expected_return.has_value(); }
  EnvFactory env_factory() const {
    return find_environment(env_name).factory(*env_settings, Rng(static_cast<std::uint64_t>(seed)));
  }
  /// The environment of evaluations: with what train.eval_env sets. @throws UsageError as environment_settings
  EnvFactory eval_env_factory() const;
  /// @param lanes 0: the agent only acts, and takes no memory for learning
  std::unique_ptr<Agent> make_agent(const EnvSpec& spec, int lanes, Rng rng) const {
    return find_algorithm(algorithm).make(*agent_settings, spec, lanes, rng);
  }
};

/// The experiment of TOML values, checked: types, ranges, unknown keys, and relations between fields.
/// @throws UsageError with all problems, one per line
Experiment make_experiment(const TomlValues& values);

/// The settings of an environment with "env.key=value" put over its defaults.
/// @throws UsageError for an unknown name, or with all problems of the settings, one per line
std::unique_ptr<EnvSettings> environment_settings(const std::string& env, const std::vector<std::string>& set);
inline EnvFactory make_environment(const std::string& env, const std::vector<std::string>& set, std::uint64_t seed) {
  return find_environment(env).factory(*environment_settings(env, set), Rng(seed));
}

/// The settings in which two experiments differ, as sentences that name path and both values; [build] is left out.
/// Only where `matters` says so of the field.
std::vector<std::string> differences(const Experiment& a, const std::string& name_a, const Experiment& b,
                                     const std::string& name_b,
                                     const std::function<bool(const FieldText& field)>& matters);

/// Where the experiments' files are.
std::filesystem::path experiment_directory();
/// Names of all experiments, sorted.
std::vector<std::string> experiment_names();
/// The values of an experiment: a name in experiment_directory(), or the path of a TOML file. A file that `extends`
/// another one, by name or by a path beside it, has that one's values where it has none itself; it has a name of its
/// own.
/// @throws UsageError for an unknown name, with the nearest known one, or files that extend each other
TomlValues load_experiment(const std::string& name_or_file);
/// Puts assignments "key=value" over an experiment's values, under goalpost's names or those of run/aliases.h, with a
/// note on stderr for each of the latter. @throws UsageError as TomlValues::set and resolve_aliases
void set_all(TomlValues& values, const std::vector<std::string>& set);

}  // namespace goalpost
