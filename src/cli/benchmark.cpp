// goalpost benchmark: runs the program goalpost-bench, which times the components, beside other programs if asked, or
// profiles an experiment.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/profile.h"
#include "core/check.h"
#include "core/data_path.h"

namespace goalpost {
namespace {

// The benchmarks are a program of their own beside this one, so that a build for training does not need them.
std::string benchmark_program() {
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "goalpost-bench";
  if (!std::filesystem::exists(program))
    throw UsageError(fmt::format("{} is not built; `./goalpost benchmark` builds it, or `ninja goalpost-bench` in {}",
                                 program.string(), program.parent_path().string()));
  return program.string();
}

[[noreturn]] void become(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  throw std::runtime_error(fmt::format("cannot run {}: {}", words[0], std::strerror(errno)));
}

[[noreturn]] void benchmark(const std::string& filter) {
  std::vector<std::string> words = {benchmark_program(), "--benchmark_counters_tabular=true"};
  if (!filter.empty()) words.push_back("--benchmark_filter=" + filter);
  become(std::move(words));
}

[[noreturn]] void compare_with_peers(int rounds) {
  const std::filesystem::path script = data_path("bench/peers.py");
  if (!std::filesystem::exists(script))
    throw UsageError(fmt::format("--peers: {} does not exist; expected a source tree of goalpost", script.string()));
  become({"python3", script.string(), "--bench", benchmark_program(), "--rounds", std::to_string(rounds)});
}

}  // namespace

void add_benchmark_command(CLI::App& app, int& status) {
  CLI::App* benchmark_command =
      app.add_subcommand("benchmark", "time the components, or other libraries, or where an experiment's time goes");
  struct Options {
    std::string filter, profile;
    std::vector<std::string> set;
    int evaluations = 1, rounds = 5;
    bool peers = false;
  };
  const auto o = std::make_shared<Options>();
  CLI::Option* filter =
      benchmark_command->add_option("FILTER", o->filter, "regular expression; all if left out")->default_str("");
  CLI::Option* profile_option =
      benchmark_command
          ->add_option("--profile", o->profile,
                       "experiment: train it and print the share of environment steps, acting, sampling, updates, "
                       "evaluations and checkpoints, from the first evaluation after learning began to the next. "
                       "Nothing is kept")
          ->excludes(filter);
  benchmark_command->add_option("--evaluations", o->evaluations, "with --profile: to which evaluation after that")
      ->transform(integer(1, kMostCount))
      ->needs(profile_option);
  add_set_option(*benchmark_command, o->set, "with --profile: override a setting, e.g. train.threads=2")
      ->needs(profile_option);
  CLI::Option* peers =
      benchmark_command
          ->add_flag("--peers", o->peers,
                     "time the updates of LibTorch, PyTorch and Stable-Baselines3, whichever are installed, in turns "
                     "with goalpost's, and print the ratios as a table")
          ->excludes(filter)
          ->excludes(profile_option);
  benchmark_command->add_option("--rounds", o->rounds, "with --peers: how often each program is run")
      ->transform(integer(1, 1000))
      ->needs(peers);
  benchmark_command->callback([o, &status] {
    if (o->peers) compare_with_peers(o->rounds);
    if (o->profile.empty()) benchmark(o->filter);
    catch_interrupts();
    status = profile(o->profile, o->set, o->evaluations);
  });
}

}  // namespace goalpost
