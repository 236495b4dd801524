// goalpost benchmark: runs the program goalpost-bench, which times the components.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/commands.h"
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
  CLI::App* benchmark_command = app.add_subcommand("benchmark", "time the components");
  const auto filter = std::make_shared<std::string>();
  benchmark_command->add_option("FILTER", *filter, "regular expression; all if left out")->default_str("");
  benchmark_command->callback([filter, &status] { status = benchmark(*filter); });
}

}  // namespace goalpost
