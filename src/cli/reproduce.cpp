// Which runs a figure needs, which of them are there, and what is made of them.
#include "cli/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <set>
#include <string_view>

#include "cli/interrupt.h"
#include "cli/jobs.h"
#include "core/check.h"
#include "core/config.h"
#include "core/data_path.h"
#include "core/processors.h"
#include "core/text.h"
#include "report/collect.h"
#include "report/figure.h"
#include "report/figure_config.h"
#include "report/group.h"
#include "report/plot.h"
#include "report/record.h"
#include "report/tables.h"
#include "run/build_info.h"
#include "run/experiment.h"
#include "run/resume.h"
#include "run/run_result.h"
#include "storage/config_text.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

// @throws UsageError for what the command itself sets
void check_set(const FigureConfig& figure, const ReproduceOptions& o) {
  for (const std::string& s : o.set) {
    const std::string key = s.substr(0, s.find('='));
    if (key == "seed")
      throw UsageError(
          fmt::format("--set {}: the runs of a figure have the seeds 1, 2, ...; --seeds N says how many there are", s));
    if (key == "name")
      throw UsageError(
          fmt::format("--set {}: the runs of a figure are told apart by name; expected another setting", s));
    if (!figure.key.empty() && key == figure.key)
      throw UsageError(fmt::format("--set {}: {} is the x axis of {}; --values {} sets its points", s, figure.key,
                                   o.figure, s.find('=') == s.npos ? "10,20" : s.substr(s.find('=') + 1)));
  }
}

std::vector<Task> make_tasks(const FigureConfig& figure, const ReproduceOptions& o, const std::filesystem::path& out) {
  std::vector<std::string> values = !o.values.empty() ? o.values : o.quick ? figure.quick_values : figure.values;
  // The longest first, so that no long run is left for the end: larger numbers are taken to be.
  std::stable_sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
    return std::atof(a.c_str()) > std::atof(b.c_str());
  });
  if (figure.key.empty()) {
    if (!o.values.empty())
      throw UsageError(fmt::format("--values: {} compares experiments and has no setting to vary", o.figure));
    values = {""};
  }
  std::vector<Task> tasks;
  std::set<std::string> configs;
  for (const std::string& value : values) {
    for (const std::string& experiment : figure.experiments) {
      std::string setting;
      std::vector<std::string> set;
      if (!figure.key.empty()) set = {setting = fmt::format("{}={}", figure.key, value)};
      if (o.quick) set.insert(set.end(), figure.quick_set.begin(), figure.quick_set.end());
      set.insert(set.end(), o.set.begin(), o.set.end());
      TomlValues all = load_experiment(experiment);
      set_all(all, set);
      const std::string config = make_experiment(all).to_toml();  // throws before any work if a setting is wrong
      if (!configs.insert(config).second)
        throw UsageError(fmt::format("{}: the value {} is among others that are the same; expected each once",
                                     figure.key.empty() ? experiment : figure.key, value));
      for (int seed = 1; seed <= (o.seeds > 0 ? o.seeds : figure.seeds); ++seed)
        tasks.push_back(
            {experiment, setting, seed, out / experiment / folder(setting) / fmt::format("seed_{}", seed), config});
    }
  }
  return tasks;
}

// The finished runs below a directory, of this call or earlier ones, that differ from a task in seed and place on the
// axis only. For what cannot be read a sentence is printed and added to `unreadable`.
std::vector<MeasuredRun> runs_to_draw(const std::filesystem::path& out, const FigureConfig& figure,
                                      const std::vector<Task>& tasks, std::vector<std::string>& unreadable) {
  std::vector<MeasuredRun> runs = find_runs({out}, &unreadable);
  for (const std::string& sentence : unreadable) fmt::print(stderr, "{}; left out\n", sentence);
  std::erase_if(runs, [&](const MeasuredRun& run) {
    std::string problem = "it is of no experiment of this figure";
    for (const Task& task : tasks) {
      if (task.experiment != run.experiment.name) continue;
      Experiment wanted = experiment_of(task);
      const auto found = differences(
          run.experiment, (run.directory / kConfigFile).string(), wanted, "this figure",
          [&](const FieldText& f) { return f.affects_results && f.path != "seed" && f.path != figure.key; });
      problem = found.empty() ? "" : found.front();
      break;
    }
    if (!problem.empty()) fmt::print(stderr, "{}: {}; left out\n", run.directory.string(), problem);
    return !problem.empty();
  });
  return runs;
}

}  // namespace

int reproduce(const ReproduceOptions& o) {
  if (o.record) writable_source_directory();
  const FigureConfig figure = load_figure(o.figure);
  const std::string name = o.figure.ends_with(".toml") ? std::filesystem::path(o.figure).stem().string() : o.figure;
  const std::filesystem::path out =
      !o.out.empty() ? o.out : std::filesystem::path("runs") / "reproduce" / (name + (o.quick ? "-quick" : ""));
  const int jobs = o.jobs > 0 ? o.jobs : usable_processors();
  check_set(figure, o);
  std::vector<Task> tasks = make_tasks(figure, o, out), missing;
  std::filesystem::create_directories(out);
  const DirectoryLock lock(out);
  for (Task& task : tasks)
    if (!finished_earlier(task, "this figure")) missing.push_back(task);
  for (const Task& task : missing) {
    std::filesystem::create_directories(task.directory.parent_path());
    write_file_atomically(task.config_file(), task.config);
  }
  fmt::print(stderr, "{}: {} runs, {} already finished, {} in parallel, in {}\n", figure.title, tasks.size(),
             tasks.size() - missing.size(), jobs, out.string());
  const int failed = missing.empty() ? 0 : run_tasks(missing, jobs);
  if (interrupted()) {
    print_error("interrupted; run the same command again to continue the unfinished runs");
    return interrupt_status();
  }
  if (failed == static_cast<int>(tasks.size())) return 1;

  std::vector<std::string> unreadable;
  const std::vector<MeasuredRun> runs = runs_to_draw(out, figure, tasks, unreadable);
  if (runs.empty()) return 1;
  const std::vector<Summary> summaries = summarize(runs);
  const std::vector<MeasuredFigure> figures = figure.measures.empty()
                                                  ? std::vector{measured_figure(figure, summaries, "figure")}
                                                  : learning_curves(figure, summaries, "figure");
  std::vector<Plot> plots;
  for (const MeasuredFigure& f : figures) {
    write_file_atomically(out / (f.plot.name + ".csv"), f.csv);
    plots.push_back(f.plot);
  }
  const bool drawn = draw(plots, out, "figure", o.pdf);

  fmt::print("{}\n", summary_table(summaries));
  if (!figure.claim.empty()) fmt::print("The paper: {}\n", figure.claim);
  for (std::size_t i = 0; i < figures[0].solved.size(); ++i)
    fmt::print("{:<24} largest {} solved (success >= 0.99): {} here{}\n", figures[0].labels[i], figure.key,
               figures[0].solved[i] ? fmt::format("{}", *figures[0].solved[i]) : "not measured",
               i < figure.paper_limit.size() ? fmt::format(", {} in the paper", figure.paper_limit[i]) : "");
  for (const Plot& plot : plots) {
    const std::string file = (out / plot.name).string();
    if (drawn)
      fmt::print("figure: {0}.svg{1}, data: {0}.csv\n", file, o.pdf ? fmt::format(", {}.pdf", file) : "");
    else
      fmt::print("data: {}.csv (gnuplot could not draw them, see {})\n", file, (out / "figure.log").string());
  }
  if (o.record) {
    record(summaries);
    renew_tables();
    const std::filesystem::path place = results_directory() / "figures";
    std::filesystem::create_directories(place);
    for (const MeasuredFigure& f : figures) {
      const std::string file = name + f.plot.name.substr(std::string_view("figure").size());
      write_file_atomically(place / (file + ".csv"), f.csv);
      if (drawn) write_file_atomically(place / (file + ".svg"), read_file(out / (f.plot.name + ".svg")));
    }
    fmt::print("recorded in {}\n", results_directory().string());
  }
  fmt::print("runs: {0}; next: `goalpost report {0} --out {0}/report` compares them on a page\n", out.string());
  return failed > 0 || !unreadable.empty() ? 1 : 0;
}

}  // namespace goalpost
