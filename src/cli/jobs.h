// Runs of `goalpost reproduce`, each trained by a `goalpost train` process, several side by side.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "storage/run_directory.h"

namespace goalpost {

/// One run. Its configuration is read once: what changes in the experiments' files later has no effect.
struct Task {
  std::string experiment, setting;  ///< "env.bits=40"
  int seed;
  std::filesystem::path directory;
  std::string config;  ///< as TOML, but for the seed
  bool resume = false;

  std::filesystem::path config_file() const { return directory.parent_path() / kSettingFile; }
};

/// The configuration of the run, with its seed.
Experiment experiment_of(const Task& task);

/// Runs the tasks, some at a time. Returns how many failed.
int run_tasks(const std::vector<Task>& tasks, int jobs);

}  // namespace goalpost
