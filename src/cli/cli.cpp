// The command line as a whole: all sub-commands, and the errors of parsing.
#include "cli/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/text.h"
#include "run/build_info.h"

namespace goalpost {

int run_cli(int argc, char** argv) {
  expect_no_empty_words(argc, argv);
  CLI::App app("goalpost: goal-conditioned and hierarchical reinforcement learning, reproducibly.");
  app.require_subcommand(1);
  app.set_version_flag("--version", BuildInfo::current().revision);
  app.option_defaults()->always_capture_default();
  int status = 0;

  add_list_command(app, status);
  add_describe_command(app, status);
  add_train_command(app, status);
  add_evaluate_command(app, status);
  add_reproduce_command(app, status);
  add_report_command(app, status);
  add_rollout_command(app, status);
  add_render_command(app, status);
  add_dataset_command(app, status);
  add_benchmark_command(app, status);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    print_error(fmt::format("goalpost: {}; `goalpost {}--help` shows what is possible", e.what(),
                            app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " "));
    return 2;
  }
  return status;
}

}  // namespace goalpost
