// The command line as a whole: all sub-commands, errors of parsing, and exceptions turned into sentences and statuses.
#include "cli/cli.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/communicator.h"
#include "core/memory.h"
#include "core/suggest.h"
#include "core/text.h"
#include "run/aliases.h"
#include "run/experiment.h"

namespace goalpost {
namespace {

int out_of_memory() {
  const MemoryLimit left = memory_left();
  print_error(fmt::format("goalpost: not enough memory for what was asked: {} are left ({})", format_bytes(left.bytes),
                          left.source));
  return 1;
}

// A file that is opened later must not become standard input, output or error. A closed one stays one that cannot be
// read, or written, so that what is written to it is an error.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    while (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF)
      if (::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) std::_Exit(1);
}

// "Usage: goalpost dataset [OPTIONS] action paths...": of the sub-command that was typed. Then where to read on.
// @param list_commands a line for each sub-command, too
std::string usage(const CLI::App& app, bool list_commands) {
  const CLI::App* typed = &app;
  std::string words = "goalpost";
  while (!typed->get_subcommands().empty()) {
    typed = typed->get_subcommands().front();
    words += " " + typed->get_name();
  }
  std::string commands;
  if (list_commands)
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
      commands += fmt::format("  {:<10} {}\n", command->get_name(), command->get_description());
  return fmt::format("{}{}`{} --help` shows what is possible", CLI::Formatter().make_usage(typed, words), commands,
                     words);
}

// Empty, or a sentence on the first word that is none of a command's options.
std::string option_problem(const CLI::App& command, int argc, char** argv) {
  std::vector<std::string> names;
  const auto add_options = [&](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  };
  add_options(command);
  for (const CLI::App* group : command.get_subcommands([](const CLI::App* app) { return app->get_name().empty(); }))
    add_options(*group);
  for (int i = 1; i < argc; ++i) {
    const std::string word(argv[i], std::strcspn(argv[i], "="));
    if (!word.starts_with("--") || word == "--" || std::find(names.begin(), names.end(), word) != names.end()) continue;
    std::string hint = did_you_mean(word, {names.begin(), names.end()});
    if (std::find(names.begin(), names.end(), "--set") != names.end()) {
      std::string setting = word.substr(2);
      std::replace(setting.begin(), setting.end(), '-', '_');
      const std::vector<std::string> others = other_names();
      const bool other = std::find(others.begin(), others.end(), setting) != others.end();
      if (command.get_name() == "train" && (setting == "env" || setting == "algo" || setting == "algorithm"))
        hint = "; expected `goalpost train ALGORITHM ENVIRONMENT`";
      else if (other || setting.find('.') != setting.npos)
        hint = fmt::format("; settings are changed by --set {}=VALUE", setting);
      else if (hint.empty())
        hint = "; settings are changed by --set KEY=VALUE";
    }
    return fmt::format("no option is called {}{}", word, hint);
  }
  return "";
}

// What parsing says, but a word that is no sub-command, or no option, is named, with the nearest one.
std::string parse_problem(CLI::App& app, const CLI::ParseError& e, int argc, char** argv) {
  const bool typed = !app.get_subcommands().empty();
  if (!typed && argc < 2) return "expected a command";
  if (typed || *argv[1] == '-') {
    const bool unexpected = !typed || dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr;
    const std::string problem =
        unexpected ? option_problem(typed ? *app.get_subcommands().front() : app, argc, argv) : "";
    return problem.empty() ? e.what() : problem;
  }
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return fmt::format("no command is called \"{}\"{}", argv[1], did_you_mean(argv[1], {names.begin(), names.end()}));
}

// Parses the words and runs the sub-command that they name.
int parse_and_run(int argc, char** argv) {
  expect_no_empty_words(argc, argv);
  CLI::App app("goalpost: goal-conditioned and hierarchical reinforcement learning, reproducibly.", program_as_typed());
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(1);
  app.set_version_flag("--version", BuildInfo::current().revision);
  app.option_defaults()->always_capture_default();
  int status = 0;

  add_list_command(app, status);
  add_describe_command(app, status);
  add_train_command(app, status);
  add_evaluate_command(app, status);
  add_reproduce_command(app, status);
  add_plan_command(app, status);
  add_work_command(app, status);
  add_status_command(app, status);
  add_collect_command(app, status);
  add_report_command(app, status);
  add_rollout_command(app, status);
  add_render_command(app, status);
  add_dataset_command(app, status);
  add_policy_command(app, status);
  add_benchmark_command(app, status);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    print_error(fmt::format("goalpost: {}\n{}", parse_problem(app, e, argc, argv), usage(app, argc < 2)));
    return 2;
  }
  return status;
}

// mpirun's processes train one run together; those of `work` are independent of each other. All other commands write
// files, or to the terminal, once.
void join_if_launched(std::string_view command) {
  if (launched_processes() == 1 || command == "work") return;
  join_job();
  if (command == "train" || command.starts_with("-")) return;
  together([&] {
    throw UsageError(
        fmt::format("mpirun has started {} processes of `goalpost {}`; expected `goalpost train`, or {} "
                    "without mpirun",
                    job().ranks(), command, command));
  });
}

// Of the processes of mpirun one writes to the terminal. Errors of the others are told when this has ended.
class OnlyRankZeroSpeaks {
 public:
  OnlyRankZeroSpeaks() {
    if (job().rank() == 0) return;
    const int nowhere = ::open("/dev/null", O_WRONLY);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      kept_[i] = ::dup(kDescriptors[i]);
      ::dup2(nowhere, kDescriptors[i]);
    }
    ::close(nowhere);
  }
  ~OnlyRankZeroSpeaks() {
    if (job().rank() == 0) return;
    std::fflush(nullptr);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      ::dup2(kept_[i], kDescriptors[i]);
      ::close(kept_[i]);
    }
  }
  OnlyRankZeroSpeaks(const OnlyRankZeroSpeaks&) = delete;
  OnlyRankZeroSpeaks& operator=(const OnlyRankZeroSpeaks&) = delete;

 private:
  static constexpr std::array<int, 2> kDescriptors = {STDOUT_FILENO, STDERR_FILENO};
  std::array<int, 2> kept_{};
};

}  // namespace

int run_cli(int argc, char** argv) {
  open_standard_descriptors();
  prepare_signals();
  const auto say = [](const char* sentence, int status) {
    if (job().rank() == 0) {
      print_error(fmt::format("goalpost: {}", sentence));
      return status;
    }
    // What has failed everywhere is told by process 0, which ends the others when it has saved what there is.
    if (!job_fails_together()) std::this_thread::sleep_for(std::chrono::seconds(10));
    print_error(fmt::format("goalpost: process {} of mpirun: {}", job().rank(), sentence));
    return status;
  };
  int status = 0;
  bool failed = true;
  try {
    join_if_launched(argc > 1 ? argv[1] : "");
    const OnlyRankZeroSpeaks silence;
    status = parse_and_run(argc, argv);
    failed = false;
  } catch (const OtherRankFailed& other) {  // which has said why
    status = other.usage ? 2 : 1;
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
  // The others wait for this process, or they fail together with it.
  if (failed && job().ranks() > 1 && !job_fails_together()) job().abort(status);
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
