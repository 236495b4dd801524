// Runs of `goalpost reproduce` and of `goalpost train --seed 1-5`, each trained by a `goalpost train` process, several
// side by side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "storage/run_directory.h"

namespace goalpost {

/// One run. Its configuration is read once: what changes in the experiments' files later has no effect.
struct Task {
  std::string experiment, setting;  ///< "env.bits=40"
  std::int64_t seed;
  std::filesystem::path directory;
  std::string config;  ///< as TOML, but for the seed
  bool resume = false;
  bool keep_checkpoints = false;  ///< of a finished run, to train it further

  std::filesystem::path config_file() const { return directory.parent_path() / kSettingFile; }
};

/// The configuration of the run, with its seed.
Experiment experiment_of(const Task& task);

/// Whether a task has a finished run, and if an unfinished one, that it can go on.
/// @param purpose for messages, "this figure"
/// @throws UsageError if its directory holds something else: nothing is deleted
bool finished_earlier(Task& task, const char* purpose);

/// Runs the tasks, some at a time. Returns how many failed. @param quiet no progress
int run_tasks(const std::vector<Task>& tasks, int jobs, bool quiet = false);

}  // namespace goalpost
