// goalpost report: summarizes runs over their seeds, as a table and as a page.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/pdf_options.h"
#include "core/check.h"
#include "core/data_path.h"
#include "core/text.h"
#include "report/baseline.h"
#include "report/collect.h"
#include "report/group.h"
#include "report/learning_speed.h"
#include "report/measured_run.h"
#include "report/page.h"
#include "report/record.h"
#include "report/tables.h"

namespace goalpost {
namespace {

struct ReportOptions {
  std::vector<std::string> directories;
  std::string out, baseline;
  std::optional<double> threshold;
  bool recorded = false;
  PdfOptions pdf;
};

int report(const ReportOptions& o) {
  if (o.recorded) writable_source_directory();
  const PageOptions page{.threshold = o.threshold, .baseline = o.baseline, .pdf = o.pdf.format()};
  std::vector<std::filesystem::path> directories(o.directories.begin(), o.directories.end());
  const bool baseline_is_directory = std::filesystem::is_directory(o.baseline);
  if (baseline_is_directory) directories.push_back(o.baseline);
  std::vector<std::string> unreadable;
  std::vector<MeasuredRun> unfinished;
  const std::vector<MeasuredRun> runs =
      find_runs(directories, &unreadable, &unfinished, baseline_is_directory ? o.baseline : "");
  for (const std::string& sentence : unreadable) print_error(fmt::format("goalpost: {}; left out", sentence));
  if (runs.empty() && unfinished.empty()) return 1;
  if (runs.empty() && o.recorded)
    throw UsageError("report --record: there are only unfinished runs; expected finished ones");
  std::vector<Summary> summaries = summarize(runs);
  check_threshold(summaries, o.threshold);
  const std::vector<const Summary*> baseline =
      o.baseline.empty() ? std::vector<const Summary*>() : baseline_of(summaries, o.baseline);
  if (!summaries.empty()) {
    fmt::print("{}", summary_table(summaries, output_width()));
    fmt::print("\n{}", learning_table(summaries, o.threshold, output_width()));
  }
  if (!o.baseline.empty())
    fmt::print("\n{}", baseline_table(compare_with_baseline(summaries, baseline), o.baseline, output_width()));
  if (!unfinished.empty()) fmt::print("{}unfinished (not included above):\n", summaries.empty() ? "" : "\n");
  for (const MeasuredRun& run : unfinished) print_line(fmt::format("{}: {}", run.directory.string(), state_text(run)));
  const bool met =
      std::all_of(summaries.begin(), summaries.end(), [](const Summary& s) { return s.meets_expectation; });
  if (o.recorded) {
    const bool fresh = record(summaries);
    renew_tables();
    fmt::print("{} {}\n", fresh ? "recorded in" : "tables renewed from", results_directory().string());
  }
  if (!o.out.empty()) {
    const std::vector<Summary> of_unfinished = summarize(unfinished);
    summaries.insert(summaries.end(), of_unfinished.begin(), of_unfinished.end());
    fmt::print("page: {}{}\n", write_report_page(summaries, o.out, page).string(),
               page.pdf ? fmt::format("; figures: {}/*.pdf", o.out) : "");
  }
  return met && unreadable.empty() ? 0 : 1;
}

}  // namespace

void add_report_command(CLI::App& app, int& status) {
  CLI::App* report_command = app.add_subcommand(
      "report",
      "summarize runs over their seeds; exit status 1 if an experiment misses what its source expects, or "
      "a run cannot be read");
  const auto o = std::make_shared<ReportOptions>();
  report_command->add_option("RUNS", o->directories, "run directories or recorded results, or directories above them")
      ->required();
  CLI::Option* out =
      report_command->add_option("--out", o->out,
                                 "directory: also write a page with curves and comparisons, index.html, in place of an "
                                 "earlier page");
  report_command->add_option(
      "--baseline", o->baseline,
      "directory of runs, or source revision (a hash, or a name such as HEAD~1): compare all other "
      "settings with these runs");
  report_command
      ->add_option("--threshold", o->threshold,
                   "count the environment steps until an evaluation reaches this success or return; default: "
                   "success 0.9, or the return that the experiment expects")
      ->transform(number());
  o->pdf.add_to(*report_command)->needs(out);
  report_command->add_flag("--record", o->recorded,
                           "also write src/experiments/results and the documents' tables; of recorded results: the "
                           "tables only");
  report_command->callback([o, &status] {
    expect_directory(o->out);
    status = report(*o);
  });
}

}  // namespace goalpost
