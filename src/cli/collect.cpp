// goalpost collect: brings the directories of one plan together.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/text.h"
#include "run/plan_merge.h"

namespace goalpost {
namespace {

int collect(const std::vector<std::string>& directories, const std::string& out, bool mixed) {
  if (out.empty() && directories.size() > 1)
    throw UsageError("collect: several directories are brought together in another one; expected --out DIRECTORY");
  const std::filesystem::path into = out.empty() ? directories.front() : out;
  const Collected c = merge_plans({directories.begin(), directories.end()}, into, mixed);
  for (const std::string& note : c.notes) print_error(fmt::format("goalpost: {}", note));
  for (const std::string& missing : c.missing) fmt::print("missing: {}\n", missing);
  print_line(fmt::format("{}: {} of {} runs have finished{}; next: `goalpost report {}`", into.string(), c.finished,
                         c.finished + static_cast<int>(c.missing.size()),
                         c.copied > 0 ? fmt::format(", {} copied", c.copied) : "", into.string()));
  return c.missing.empty() ? 0 : 1;
}

}  // namespace

void add_collect_command(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("collect", "merge the directories of a plan from several machines, and list what is missing");
  const auto directories = std::make_shared<std::vector<std::string>>();
  const auto out = std::make_shared<std::string>();
  const auto mixed = std::make_shared<bool>(false);
  command->add_option("PLANS", *directories, "directories of one plan, e.g. copied from several machines")->required();
  command->add_option("--out", *out, "directory for all runs: new, or one of the plan's. May be left out for one plan");
  command->add_flag("--mixed", *mixed, "also runs of several builds or kinds of processor, whose bits may differ");
  command->callback([=, &status] {
    expect_directory(*out);
    status = collect(*directories, *out, *mixed);
  });
}

}  // namespace goalpost
