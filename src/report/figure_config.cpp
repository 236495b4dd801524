// Reading the configurations of figures.
#include "report/figure_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <variant>

#include "core/check.h"
#include "core/suggest.h"
#include "core/text.h"
#include "report/measure.h"
#include "run/aliases.h"
#include "run/experiment.h"
#include "storage/config_text.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

// The files of all figures, by name.
std::map<std::string, std::filesystem::path> figure_files() {
  std::map<std::string, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory() / "figures"))
    if (entry.path().extension() == ".toml") files[entry.path().stem().string()] = entry.path();
  return files;
}

// A setting's path with the names that it has now in an experiment; as it is if the experiment cannot be read.
std::string present_path(const std::string& path, const std::string& experiment, const std::string& origin) {
  TomlValues setting;
  setting.put(path, {std::string(), origin});
  try {
    for (const std::string& note : resolve_former_names(setting, load_experiment(experiment)))
      print_error(fmt::format("goalpost: {}", note));
  } catch (const UsageError&) {  // told of where the experiment is asked for
  }
  return setting.all().begin()->first;
}

// @throws UsageError, or std::runtime_error for what is no plain file
FigureConfig read_figure(const std::filesystem::path& file) {
  static_cast<void>(has_file(file));
  TomlValues values = TomlValues::from_file(file);
  for (const char* key : {"values", "quick_values"}) {  // numbers as texts
    if (values.find(key) == nullptr) continue;
    TomlValues::Value value = *values.find(key);
    std::vector<std::string> texts;
    if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value.value))
      for (const std::int64_t x : *integers) texts.push_back(std::to_string(x));
    else if (const auto* numbers = std::get_if<std::vector<double>>(&value.value))
      for (const double x : *numbers) texts.push_back(shortest(x));
    else
      continue;
    value.value = texts;
    values.put(key, value);
  }
  FigureConfig figure;
  ConfigReader reader(values);
  visit_fields(figure, reader);
  const std::vector<std::string> problems = reader.problems();
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  for (const std::string& measure : figure.measures) {
    try {
      find_measure(measure);
    } catch (const UsageError& e) {
      throw UsageError(fmt::format("{} ({})", e.what(), values.find("measures")->origin));
    }
  }
  if (!figure.key.empty() && !figure.experiments.empty())
    figure.key = present_path(figure.key, figure.experiments.front(), values.find("key")->origin);
  return figure;
}

}  // namespace

const std::map<std::string, FigureConfig>& figures() {
  static const std::map<std::string, FigureConfig> all = [] {
    std::map<std::string, FigureConfig> readable;
    for (const auto& [name, file] : figure_files()) {
      try {
        readable[name] = read_figure(file);
      } catch (const std::exception& e) {
        print_error(fmt::format("goalpost: {}: {}; the figure is left out", file.string(), e.what()));
      }
    }
    return readable;
  }();
  return all;
}

std::vector<std::string> figure_names() {
  std::vector<std::string> names;
  for (const auto& [name, figure] : figures()) names.push_back(name);
  return names;
}

bool is_figure(const std::string& name) {
  if (name.ends_with(".toml"))  // a pipe can be read once only
    return std::filesystem::is_regular_file(name) && TomlValues::from_file(name).find("experiments") != nullptr;
  return figure_files().contains(name);
}

FigureConfig load_figure(const std::string& name) {
  if (name.ends_with(".toml")) {
    try {
      return read_figure(name);
    } catch (const std::runtime_error& e) {
      if (is_of_machine(e)) throw;
      throw UsageError(e.what());
    }
  }
  const std::map<std::string, std::filesystem::path> files = figure_files();
  if (const auto file = files.find(name); file != files.end()) return read_figure(file->second);
  const std::vector<std::string> names = figure_names();
  const std::vector<std::string> experiments = experiment_names();
  if (std::find(experiments.begin(), experiments.end(), name) != experiments.end())
    throw UsageError(
        fmt::format("{0} is an experiment, not a figure: `goalpost train {0} --seed 1-5` trains it", name));
  std::string hint = did_you_mean(name, {names.begin(), names.end()});
  if (hint.empty()) hint = fmt::format("; there are: {}", fmt::join(names, ", "));
  throw UsageError(fmt::format("no figure is called \"{}\"{}", name, hint));
}

std::set<std::string> axes_of(const std::string& experiment) {
  std::set<std::string> axes;
  for (const auto& [name, figure] : figures()) {
    const auto& shown = figure.experiments;
    if (!figure.key.empty() && std::find(shown.begin(), shown.end(), experiment) != shown.end())
      axes.insert(figure.key);
  }
  return axes;
}

}  // namespace goalpost
