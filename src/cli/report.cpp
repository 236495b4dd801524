// goalpost report: summarizes finished runs over their seeds, as a table and as a page.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/data_path.h"
#include "report/collect.h"
#include "report/finished_run.h"
#include "report/group.h"
#include "report/page.h"
#include "report/record.h"
#include "report/tables.h"

namespace goalpost {
namespace {

int report(const std::vector<std::string>& directories, const std::string& out, bool recorded) {
  if (recorded) writable_source_directory();
  std::vector<std::string> unreadable;
  const std::vector<FinishedRun> runs = find_runs({directories.begin(), directories.end()}, &unreadable);
  for (const std::string& sentence : unreadable) fmt::print(stderr, "goalpost: {}; left out\n", sentence);
  if (runs.empty()) return 1;
  const std::vector<Summary> summaries = summarize(runs);
  fmt::print("{}", summary_table(summaries));
  if (recorded) {
    const bool all_recorded =
        std::all_of(runs.begin(), runs.end(), [](const FinishedRun& run) { return run.recorded; });
    if (!all_recorded) record(summaries);  // otherwise only the documents' tables are made anew
    renew_tables();
    fmt::print("{} {}\n", all_recorded ? "tables renewed from" : "recorded in", results_directory().string());
  }
  if (!out.empty()) fmt::print("page: {}\n", write_report_page(summaries, out).string());
  const bool met =
      std::all_of(summaries.begin(), summaries.end(), [](const Summary& s) { return s.meets_expectation; });
  return met && unreadable.empty() ? 0 : 1;
}

struct ReportOptions {
  std::vector<std::string> directories;
  std::string out;
  bool recorded = false;
};

}  // namespace

void add_report_command(CLI::App& app, int& status) {
  CLI::App* report_command = app.add_subcommand("report", "summarize finished runs over their seeds");
  const auto o = std::make_shared<ReportOptions>();
  report_command->add_option("runs", o->directories, "run directories or recorded results, or directories above them")
      ->required();
  report_command->add_option("--out", o->out,
                             "directory: also write a page with curves and comparisons, index.html, in place of an "
                             "earlier page");
  report_command->add_flag("--record", o->recorded,
                           "also write src/experiments/results and the documents' tables; of recorded results: the "
                           "tables only");
  report_command->callback([o, &status] {
    expect_directory(o->out);
    status = report(o->directories, o->out, o->recorded);
  });
}

}  // namespace goalpost
