// The command line as a whole: all sub-commands, errors of parsing, and exceptions turned into sentences and statuses.
#include "cli/cli.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/memory.h"
#include "core/text.h"
#include "run/experiment.h"

namespace goalpost {
namespace {

int out_of_memory() {
  const MemoryLimit left = memory_left();
  fmt::print(stderr, "goalpost: not enough memory for what was asked: {} are left ({})\n", format_bytes(left.bytes),
             left.source);
  return 1;
}

// A file that is opened later must not become standard input, output or error. A closed one stays one that cannot be
// read, or written, so that what is written to it is an error.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    while (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF)
      if (::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) std::_Exit(1);
}

// Parses the words and runs the sub-command that they name.
int parse_and_run(int argc, char** argv) {
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

}  // namespace

int run_cli(int argc, char** argv) {
  open_standard_descriptors();
  prepare_signals();
  const auto say = [](const char* sentence, int status) {
    print_error(fmt::format("goalpost: {}", sentence));
    return status;
  };
  int status = 0;
  try {
    status = parse_and_run(argc, argv);
  } catch (const UsageError& e) {
    status = say(e.what(), 2);
  } catch (const std::bad_alloc&) {
    status = out_of_memory();
  } catch (const std::length_error&) {  // more than a vector can hold
    status = out_of_memory();
  } catch (const std::exception& e) {
    status = 1;
    if (std::ferror(stdout) == 0) say(e.what(), 1);  // otherwise that was it, and flush_output() says why
  }
  try {
    flush_output();
  } catch (const std::system_error& e) {
    say(e.what(), 1);
    drop_output();
    if (status == 0) status = 1;
  }
  return status;
}

}  // namespace goalpost
