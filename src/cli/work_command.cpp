// goalpost work: trains the runs of a plan that nobody else has.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/work.h"
#include "core/check.h"
#include "core/processors.h"
#include "core/text.h"
#include "run/build_info.h"
#include "run/plan.h"

namespace goalpost {
namespace {

constexpr int kAgain = 75;  // EX_TEMPFAIL of sysexits.h, as interrupt_status(): started again, the work goes on

struct WorkCommandOptions {
  std::string directory;
  int jobs = 1;
  std::int64_t index = -1;
  double limit_hours = std::numeric_limits<double>::infinity();
  bool no_wait = false, retry = false, any_build = false, quiet = false;
};

// Results may depend on everything but the model of the processor, which differs on machines of one kind.
void expect_build(const Plan& plan, bool any_build) {
  for (const auto& [what, a, b] : build_differences(plan.build, BuildInfo::current())) {
    const std::string sentence =
        fmt::format("{}: the plan was made with {} {}, but this program has {}", plan.directory.string(), what, a, b);
    if (any_build || what == "cpu")
      print_error(fmt::format("goalpost: {}; its runs may differ in bits", sentence));
    else
      throw UsageError(fmt::format("{}; expected the same, or --any-build", sentence));
  }
}

int work(const WorkCommandOptions& o) {
  Plan plan = read_plan(o.directory);
  expect_build(plan, o.any_build);
  std::vector<PlannedRun> runs = plan.runs;
  if (o.index >= 0) {
    if (o.index >= static_cast<std::int64_t>(runs.size()))
      throw UsageError(fmt::format("--index {}; expected a number from 0 to {}, as the plan has {} runs", o.index,
                                   runs.size() - 1, runs.size()));
    runs = {plan.runs[static_cast<std::size_t>(o.index)]};
  }
  const WorkResult result = work_off(runs, {.jobs = o.jobs > 0 ? o.jobs : usable_processors(),
                                            .limit_s = 3600 * o.limit_hours,
                                            .waits = !o.no_wait,
                                            .retries = o.retry,
                                            .any_build = o.any_build,
                                            .quiet = o.quiet});
  print_error(fmt::format("{}: {} done, {} failed, {} unfinished of {} run{}", o.directory, result.done, result.failed,
                          result.left, runs.size(), runs.size() == 1 ? "" : "s"));
  if (result.left == 0 && result.done > 0)
    print_error(fmt::format("next: `goalpost report {0} --out {0}/report` compares the runs on a page", o.directory));
  if (result.stopped) print_error("run the same command again to continue the unfinished runs");
  if (interrupted()) return interrupt_status();
  if (result.left > 0) return kAgain;
  if (result.failed > 0) return 1;
  return 0;
}

}  // namespace

void add_work_command(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "work", "train the unclaimed runs of a plan; any number of processes on any machines may share one plan");
  const auto o = std::make_shared<WorkCommandOptions>();
  command->add_option("PLAN", o->directory, "directory made by `goalpost plan` or `goalpost reproduce`")->required();
  command->add_option("--jobs", o->jobs, "runs in parallel; 0: one per processor that may be used")
      ->transform(integer(0, 1024));
  command->add_option("--index", o->index, "only the run with this number, from 0 on; for an array of jobs")
      ->transform(integer(0, kMostCount))
      ->default_str("");
  command
      ->add_option("--limit", o->limit_hours,
                   "hours, after which the runs save their state and stop; the status is then 75: start again")
      ->transform(number(0))
      ->default_str("");
  command->add_flag("--no-wait", o->no_wait,
                    "exit with status 75 if all remaining runs are claimed by other processes, instead of waiting");
  command->add_flag("--retry", o->retry, "also train the runs that failed earlier");
  command->add_flag("--any-build", o->any_build,
                    "also if this program is another build than the one that made the plan");
  command->add_flag("--quiet", o->quiet, "no progress");
  command->callback([o, &status] {
    catch_interrupts();
    outlive_readers();
    status = work(*o);
  });
}

}  // namespace goalpost
