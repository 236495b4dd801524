// Compares the settings of two configurations, as of a dataset and of a run.
#include "storage/dataset_task.h"

#include <fmt/format.h>

#include <functional>
#include <map>

#include "core/check.h"
#include "core/config.h"
#include "envs/registry.h"
#include "storage/config_text.h"
#include "storage/file_error.h"
#include "storage/former_names.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

// Visits the settings of an environment that has none set, below [env]; null for one that is not known.
std::function<void(ConfigVisitor&)> defaults_of(const std::string& environment) {
  for (const EnvEntry& entry : environments())
    if (entry.name == environment)
      return [&entry](ConfigVisitor& v) {
        v.enter({"env", "", "", 0, 0});
        entry.settings()->visit(v);
        v.leave();
      };
  return nullptr;
}

// The settings of a configuration's environment as texts. Settings that an older revision lacks have default values.
std::map<std::string, std::string> settings_of(const fs::path& path, const std::string& environment,
                                               const std::string& config) {
  std::map<std::string, std::string> settings;
  const auto defaults = defaults_of(environment);
  const std::vector<FieldText> fields = defaults ? describe_fields(defaults) : std::vector<FieldText>();
  for (const std::string& text : {default_settings(environment), config}) {
    try {
      TomlValues values = TomlValues::from_text(text, "config");
      rename_former(values, fields);
      for (const auto& [key, value] : values.all())
        if (key.starts_with("env.") && key != "env.name") settings[key] = show(value);
    } catch (const UsageError& e) {
      wrong(path, fmt::format("its configuration cannot be read: {}", e.what()));
    }
  }
  return settings;
}

}  // namespace

std::string default_settings(const std::string& environment) {
  const auto defaults = defaults_of(environment);
  return defaults ? to_toml(defaults) : "";
}

std::vector<std::string> setting_differences(const fs::path& path, const std::string& environment,
                                             const std::string& there, const std::string& here) {
  std::vector<std::string> sentences;
  if (there.empty() || here.empty()) return sentences;
  const auto a = settings_of(path, environment, there), b = settings_of(path, environment, here);
  std::map<std::string, std::string> all = a;
  all.insert(b.begin(), b.end());
  const auto value = [](const std::map<std::string, std::string>& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string("left out") : found->second;
  };
  for (const auto& [key, ignored] : all)
    if (value(a, key) != value(b, key))
      sentences.push_back(fmt::format("{} is {} there, but {} here", key, value(a, key), value(b, key)));
  return sentences;
}

void expect_same_environment(const fs::path& path, const char* what, const DatasetIdentity& there, const EnvSpec& spec,
                             const std::string& config) {
  std::vector<std::string> sentences;
  sentences.reserve(3);
  if (!there.environment.empty() && there.environment != spec.name)
    sentences.push_back(fmt::format("the environment is {} there, but {} here", there.environment, spec.name));
  const auto compare = [&](const char* name, const std::optional<double>& a, double b) {
    if (a && *a != b) sentences.push_back(fmt::format("{} is {} there, but {} here", name, *a, b));
  };
  compare("the goal's radius", there.goal_radius, static_cast<double>(spec.goal.radius));
  compare("the time per step", there.dt, spec.dt);
  // Another environment has other settings.
  if (sentences.empty()) sentences = setting_differences(path, spec.name, there.config, config);
  if (!sentences.empty())
    throw DatasetMismatch(fmt::format("{}: {} of another task: {}", path.string(), what, fmt::join(sentences, "; ")));
}

}  // namespace goalpost
