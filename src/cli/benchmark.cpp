// goalpost benchmark: runs the program goalpost-bench, which times the components, or profiles an experiment.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/profile.h"
#include "core/check.h"

namespace goalpost {
namespace {

// The benchmarks are a program of their own beside this one, so that a build for training does not need them.
int benchmark(const std::string& filter) {
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "goalpost-bench";
  if (!std::filesystem::exists(program))
    throw UsageError(fmt::format("{} is not built; `./goalpost benchmark` builds it, or `ninja goalpost-bench` in {}",
                                 program.string(), program.parent_path().string()));
  std::vector<std::string> words = {program.string(), "--benchmark_counters_tabular=true"};
  if (!filter.empty()) words.push_back("--benchmark_filter=" + filter);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  throw std::runtime_error(fmt::format("cannot run {}", program.string()));
}

}  // namespace

void add_benchmark_command(CLI::App& app, int& status) {
  CLI::App* benchmark_command =
      app.add_subcommand("benchmark", "time the components, or tell where an experiment's time goes");
  struct Options {
    std::string filter, profile;
    std::vector<std::string> set;
    int evaluations = 1;
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
  benchmark_command->callback([o, &status] {
    if (o->profile.empty()) {
      status = benchmark(o->filter);
      return;
    }
    catch_interrupts();
    status = profile(o->profile, o->set, o->evaluations);
  });
}

}  // namespace goalpost
