// Reading the files of experiments: their names, what they extend, and other names of settings.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/check.h"
#include "core/data_path.h"
#include "core/suggest.h"
#include "core/text.h"
#include "run/aliases.h"
#include "run/experiment.h"
#include "storage/toml.h"

namespace goalpost {

std::filesystem::path experiment_directory() { return data_path("src/experiments"); }

std::vector<std::string> experiment_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory()))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

// Each note once, however many runs it is about.
void tell(const std::vector<std::string>& notes) {
  static std::set<std::string> told;
  for (const std::string& note : notes)
    if (told.insert(note).second) print_error(fmt::format("goalpost: {}", note));
}

std::filesystem::path file_of(const std::string& name_or_file) {
  if (name_or_file.ends_with(".toml")) return name_or_file;
  const std::vector<std::string> names = experiment_names();
  if (std::find(names.begin(), names.end(), name_or_file) == names.end()) {
    std::string hint = did_you_mean(name_or_file, {names.begin(), names.end()});
    if (hint.empty()) hint = "; `goalpost list experiments` shows them all";
    throw UsageError(fmt::format("no experiment is called \"{}\"{}", name_or_file, hint));
  }
  return experiment_directory() / (name_or_file + ".toml");
}

// Replaces former and other names, with notes, except on former names in a file that a run has written.
// @param whole the values that name the environment and the algorithm
void resolve(TomlValues& values, const TomlValues& whole) {
  const std::vector<std::string> notes = resolve_former_names(values, whole);
  if (values.find("build.revision") == nullptr) tell(notes);
  tell(resolve_aliases(values, whole));
}

// Removes what a file says of itself and not of those that extend it. What is measured (measures_return) stays.
void drop_remarks(TomlValues& base, const TomlValues& extending) {
  const auto in_source = [](const std::string& path) { return path.starts_with("source."); };
  const bool own_source = std::any_of(extending.all().begin(), extending.all().end(),
                                      [&](const auto& setting) { return in_source(setting.first); });
  std::vector<std::string> paths = {"label", "description"};
  for (const auto& [path, value] : base.all())
    if (!own_source && in_source(path) && path != "source.expected_return") paths.push_back(path);
  for (const std::string& path : paths) base.erase(path);
  base.put("label", *extending.find("name"));
}

// @param extending the files that lead here
TomlValues load_extended(const std::filesystem::path& file, std::vector<std::filesystem::path> extending) {
  for (const std::filesystem::path& earlier : extending)
    if (earlier == file.lexically_normal())
      throw UsageError(fmt::format("{} extends itself; expected another experiment", file.string()));
  extending.push_back(file.lexically_normal());
  TomlValues values = TomlValues::from_file(file);
  const TomlValues::Value* extends = values.find("extends");
  if (extends == nullptr) {
    resolve(values, values);
    return values;
  }
  const std::string* base = std::get_if<std::string>(&extends->value);
  if (base == nullptr)
    throw UsageError(fmt::format("extends is not a string; expected the name of an experiment or a TOML file ({})",
                                 extends->origin));
  if (values.find("name") == nullptr)
    throw UsageError(
        fmt::format("{} extends {} without a name of its own; expected name = \"...\"", file.string(), *base));
  std::filesystem::path base_file;
  try {
    base_file = file_of(*base);
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("extends: {} ({})", e.what(), extends->origin));
  }
  if (base_file.is_relative()) base_file = file.parent_path() / base_file;
  TomlValues all = load_extended(base_file, std::move(extending));
  values.erase("extends");
  drop_remarks(all, values);
  const auto put_over_base = [&](TomlValues& base) {
    for (const auto& [path, value] : values.all()) base.put(path, value);
  };
  TomlValues whole = all;
  put_over_base(whole);
  resolve(values, whole);  // before it meets the base, which has the present names
  put_over_base(all);
  return all;
}

}  // namespace

TomlValues load_experiment(const std::string& name_or_file) {
  TomlValues values = load_extended(file_of(name_or_file), {});
  resolve(values, values);  // names in a base whose algorithm only the extending file says
  return values;
}

void set_all(TomlValues& values, const std::vector<std::string>& set) {
  for (const std::string& s : set) values.set(s);
  resolve(values, values);
}

}  // namespace goalpost
