// Which runs a figure needs, which of them are there, and what is made of them.
#include "cli/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <iterator>
#include <optional>
#include <string_view>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/planned_runs.h"
#include "cli/work.h"
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
#include "run/plan.h"
#include "run/run_result.h"
#include "storage/config_text.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

// Where there are recorded results of the figure's experiments.
std::vector<std::filesystem::path> recorded_results(const FigureConfig& figure) {
  std::vector<std::filesystem::path> places;
  for (const std::string& experiment : figure.experiments)
    if (const std::filesystem::path place = results_directory() / experiment; std::filesystem::is_directory(place))
      places.push_back(place);
  return places;
}

// The finished runs below these directories, of this call or earlier ones, that differ from a planned one in seed and
// place on the axis only. For what cannot be read a sentence is printed and added to `unreadable`.
std::vector<MeasuredRun> runs_to_draw(const std::vector<std::filesystem::path>& places, const FigureConfig& figure,
                                      const std::vector<PlannedRun>& planned, std::vector<std::string>& unreadable) {
  std::vector<MeasuredRun> runs = find_runs(places, &unreadable);
  for (const std::string& sentence : unreadable) print_error(fmt::format("{}; left out", sentence));
  std::erase_if(runs, [&](const MeasuredRun& run) {
    std::string problem = "it is of no experiment of this figure";
    for (const PlannedRun& one : planned) {
      if (one.experiment != run.experiment.name) continue;
      Experiment wanted = experiment_of(one);
      const auto found = differences(
          run.experiment, (run.directory / kConfigFile).string(), wanted, "this figure",
          [&](const FieldText& f) { return f.affects_results && f.path != "seed" && f.path != figure.key; });
      problem = found.empty() ? "" : found.front();
      break;
    }
    if (!problem.empty() && !run.recorded)
      print_error(fmt::format("{}: {}; left out", run.directory.string(), problem));
    return !problem.empty();
  });
  return runs;
}

// At most.
double steps_of(const PlannedRun& run) {
  const Experiment e = experiment_of(run);
  const double steps = static_cast<double>(e.train.total_steps);
  if (e.train.total_episodes == 0) return steps;
  return std::min(steps, static_cast<double>(e.train.total_episodes) * e.env_factory()()->spec().max_steps);
}

// Trains what has not finished.
WorkResult train_all(Plan& plan, const std::string& title, int jobs, bool quiet) {
  make_directories(plan.directory);
  const DirectoryLock lock(plan.directory);
  int finished = 0;
  try {
    for (PlannedRun& run : plan.runs) finished += finished_earlier(run, "this figure", print_error);
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("{}; --draw-only draws what has finished as it is", e.what()));
  }
  write_plan(plan, true);
  double steps = 0;
  for (const PlannedRun& run : plan.runs) steps += steps_of(run);
  print_error(fmt::format("{}: {} runs of {} steps in all at most, {} already finished, {} in parallel, in {}", title,
                          plan.runs.size(), format_count(steps), finished, jobs, plan.directory.string()));
  return work_off(plan.runs, {.jobs = jobs, .retries = true, .quiet = quiet, .told = true});
}

// The largest value of the figure's key that each experiment solves, beside the paper's.
void print_solved(const MeasuredFigure& measured, const FigureConfig& figure) {
  for (std::size_t i = 0; i < measured.solved.size(); ++i) {
    const std::optional<double> solved = measured.solved[i];
    const std::string here =
        solved ? fmt::format("{} here{}", *solved, *solved >= measured.largest[i] ? ", the largest tried" : "")
               : "not measured here";
    print_line(
        fmt::format("{:<24} largest {} solved (success >= 0.99): {}{}", measured.labels[i], figure.key, here,
                    i < figure.paper_limit.size() ? fmt::format(", {} in the paper", figure.paper_limit[i]) : ""));
  }
}

}  // namespace

int reproduce(const ReproduceOptions& o) {
  if (o.record) writable_source_directory();
  const FigureConfig figure = load_figure(o.figure);
  const std::string name = o.figure.ends_with(".toml") ? std::filesystem::path(o.figure).stem().string() : o.figure;
  const std::filesystem::path out =
      !o.out.empty() ? o.out : std::filesystem::path("runs") / "reproduce" / (name + (o.quick ? "-quick" : ""));
  const int jobs = o.jobs > 0 ? o.jobs : usable_processors();
  const RunRequest request{.seeds = o.seeds, .set = o.set, .lists = {}, .values = o.values, .quick = o.quick};
  Plan plan{.directory = out, .build = BuildInfo::current(), .runs = figure_runs(figure, o.figure, request, out)};
  std::vector<std::filesystem::path> places = {out};
  std::filesystem::path above = out;  // all of them
  int failed = 0;
  if (!o.draw_only) {
    const WorkResult work = train_all(plan, figure.title, jobs, o.quiet);
    if (work.stopped) {
      print_error("interrupted; run the same command again to continue the unfinished runs");
      return interrupt_status();
    }
    if (work.done == 0) return 1;
    failed = work.failed;
  } else if (!std::filesystem::is_directory(out)) {
    const bool as_recorded = o.out.empty() && !o.quick && o.values.empty() && o.seeds.empty() && o.set.empty();
    places = as_recorded ? recorded_results(figure) : std::vector<std::filesystem::path>();
    if (places.empty())
      throw UsageError(
          fmt::format("--draw-only: there is no {}; expected the directory of earlier runs", out.string()));
    above = results_directory();
    print_error(fmt::format("there is no {}: recorded results are drawn", out.string()));
  }

  std::vector<std::string> unreadable;
  std::vector<MeasuredRun> runs = runs_to_draw(places, figure, plan.runs, unreadable);
  const auto is_another = [&](const MeasuredRun& run) {
    return std::none_of(plan.runs.begin(), plan.runs.end(), [&](const PlannedRun& one) {
      return std::filesystem::weakly_canonical(one.directory) == std::filesystem::weakly_canonical(run.directory);
    });
  };
  if (o.draw_only && (!o.values.empty() || !o.seeds.empty())) std::erase_if(runs, is_another);
  if (runs.empty() && o.draw_only)
    throw UsageError(
        fmt::format("--draw-only: {} holds no finished run of these settings, values and seeds", above.string()));
  if (runs.empty()) return 1;
  make_directories(out);
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

  fmt::print("{}\n", summary_table(summaries, output_width()));
  if (!figure.claim.empty()) print_line("The paper: " + figure.claim);
  print_solved(figures[0], figure);
  if (const auto others = std::count_if(runs.begin(), runs.end(), is_another); others > 0 && !o.draw_only)
    print_line(fmt::format("the figure also has {} earlier runs of other values or seeds in {}", others, out.string()));
  for (const Plot& plot : plots) {
    const std::string file = (out / plot.name).string();
    if (drawn)
      print_line(
          fmt::format("figure: {0}.svg, {0}.png{1}, data: {0}.csv", file, o.pdf ? fmt::format(", {}.pdf", file) : ""));
    else
      print_line(
          fmt::format("data: {}.csv (gnuplot could not draw them, see {})", file, (out / "figure.log").string()));
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
    print_line("recorded in " + results_directory().string());
  }
  print_line(fmt::format("runs: {}; next: `goalpost report {} --out {}` compares them on a page", out.string(),
                         as_word(out.string()), as_word((out / "report").string())));
  return failed > 0 || !unreadable.empty() ? 1 : 0;
}

}  // namespace goalpost
