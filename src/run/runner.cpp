#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <string>

#include "core/check.h"
#include "core/communicator.h"
#include "run/curve_recorder.h"
#include "run/resume.h"
#include "run/run_parts.h"
#include "run/worker_group.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/run_log.h"

namespace goalpost {
namespace {

// Whether a directory holds a run that has begun, has not finished, and can be resumed.
bool is_unfinished(const std::filesystem::path& directory) {
  try {
    return std::filesystem::is_regular_file(directory / kConfigFile) &&
           !std::filesystem::exists(directory / kResultFile) && can_be_resumed(directory);
  } catch (const std::exception&) {  // no run's files
    return false;
  }
}

// @throws UsageError that says how to continue it
void expect_not_unfinished(const std::filesystem::path& directory) {
  if (is_unfinished(directory))
    throw UsageError(fmt::format(
        "run directory {0} holds an unfinished run: `goalpost train --resume {0}` continues it; for a new run choose "
        "another --out",
        directory.string()));
}

}  // namespace

std::string changed_settings(const Experiment& e, const Experiment& plain) {
  constexpr std::size_t kMost = 160;  // bytes; directories hold 255
  const std::map<std::string, std::string> expected = plain.settings();
  std::map<std::string, std::string> changed;
  std::map<std::string, int> times;  // by the last part of the path
  const auto last_part = [](const std::string& path) { return path.substr(path.rfind('.') + 1); };
  for (const auto& [path, value] : e.settings()) {
    const auto there = expected.find(path);
    if (path == "seed" || (there != expected.end() && there->second == value)) continue;
    changed[path] = value;
    ++times[last_part(path)];
  }
  std::string text;
  for (const auto& [path, value] : changed)
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", times[last_part(path)] > 1 ? path : last_part(path), value);
  std::erase(text, '"');
  for (std::size_t at = 0; (at = text.find(", ", at)) != text.npos; ++at) text.erase(at + 1, 1);  // of lists
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '/' || c == ' ' || c == '\\'; }, '_');
  return text.size() <= kMost ? text : fmt::format("settings_{:016x}", std::hash<std::string>()(text));
}

std::filesystem::path default_directory(const Experiment& e, const std::string& changed) {
  return std::filesystem::path("runs") / e.name / changed / fmt::format("seed_{}", e.seed);
}

std::optional<RunResult> train_in_directory(Experiment& e, const std::filesystem::path& directory,
                                            const RunOptions& options) {
  const bool writes = job().rank() == 0;
  std::optional<WorkerGroup> workers;
  bool begun = false;
  together([&] {
    if (writes) {
      expect_not_unfinished(directory);
      RunLog::check_unused(directory);
    }
    check_before_training(e, false);
  });
  expect_equal_processes(e);
  together([&] {
    workers.emplace(e, options);
    begun = begin_agents(workers->hosted());
  });
  if (!everywhere(begun)) return std::nullopt;
  std::optional<RunLog> log;
  std::optional<DirectoryLock> lock;
  together([&] {
    if (!writes) return;
    const std::string config = e.to_toml();
    log.emplace(directory, config);
    lock.emplace(directory);
    log->note("config", "```toml\n" + config + "```");
    log_hparams(e, *log);
    workers->first().record_in(directory);
  });
  return workers->train_to_the_end(log ? &*log : nullptr);
}

}  // namespace goalpost
