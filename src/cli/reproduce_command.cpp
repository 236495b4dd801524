// goalpost reproduce: the options of reproduce() in cli/reproduce.h.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/pdf_options.h"
#include "cli/planned_runs.h"
#include "cli/reproduce.h"
#include "report/group.h"

namespace goalpost {

void add_reproduce_command(CLI::App& app, int& status) {
  CLI::App* reproduce_command = app.add_subcommand("reproduce", "all runs of a paper's figure, then the figure");
  const auto o = std::make_shared<ReproduceOptions>();
  reproduce_command->add_option("FIGURE", o->figure, "a name of `goalpost list figures`, or a TOML file")->required();
  const auto seeds = std::make_shared<std::string>();
  reproduce_command->add_option("--seeds", *seeds,
                                "runs per point: how many, or a range or list of seeds, 1-5 or 1,4,7. Default: as the "
                                "figure says");
  reproduce_command->add_option("--jobs", o->jobs, "runs in parallel; 0: one per processor that may be used")
      ->transform(integer(0, 1024));
  const auto values = std::make_shared<std::vector<std::string>>();
  reproduce_command
      ->add_option("--values", *values,
                   "values on the x axis instead of the figure's, e.g. 10,20 or 1e-3,3e-4 or [64,64],[256,256]")
      ->allow_extra_args(false);
  reproduce_command->add_option(
      "--out", o->out, "directory; finished runs in it are kept. Default: runs/reproduce/<figure>, or <figure>-quick");
  reproduce_command->add_flag("--quick", o->quick, "train a small part of the runs, in minutes");
  reproduce_command->add_flag(
      "--draw-only", o->draw_only,
      "train nothing: draw the finished runs again, also those of another revision; of the whole figure "
      "without earlier runs and --out: recorded results");
  add_set_option(*reproduce_command, o->set, "override a setting of every experiment");
  reproduce_command->add_flag("--quiet", o->quiet, "no progress");
  reproduce_command->add_flag("--record", o->record, "also write src/experiments/results and the README's table");
  const auto pdf = std::make_shared<PdfOptions>();
  pdf->add_to(*reproduce_command);
  reproduce_command->callback([=, &status] {
    o->seeds = parse_seed_count(*seeds);
    expect_directory(o->out.string());
    o->pdf = pdf->format();
    for (const std::string& list : *values)
      for (const std::string& value : split_list(list)) o->values.push_back(value);
    catch_interrupts();
    outlive_readers();
    status = reproduce(*o);
  });
}

}  // namespace goalpost
