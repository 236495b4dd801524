// Plans: runs that any number of processes work off, on any machines that share the plan's directory.
//
//   plan.json                       which runs, in order, and the build that the plan was made with
//   <experiment>/<setting>/         setting.toml: their configuration but for the seed, frozen when the plan is made
//   <experiment>/<setting>/seed_1/  a run directory (storage/run_directory.h)
//   .../seed_1.claim_0              which process works at the run now (run/claim.h)
//   .../seed_1.log, seed_1.failed   standard error of its process; the last line of it, if the run failed
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "run/build_info.h"
#include "run/experiment.h"
#include "storage/run_directory.h"

namespace goalpost {

/// One run. Its configuration is read once: what changes in the experiments' files later has no effect.
struct PlannedRun {
  std::string experiment, setting;  ///< "env.bits=40"
  std::int64_t seed;
  std::filesystem::path directory;
  std::string config;  ///< as TOML, but for the seed
  bool resume = false;
  bool keep_checkpoints = false;  ///< of a finished run, to train it further

  /// "bit_flip_her env.bits=40 seed 1"
  std::string name() const;
  std::filesystem::path config_file() const { return directory.parent_path() / kSettingFile; }
  std::filesystem::path log_file() const { return directory.string() + ".log"; }
  std::filesystem::path failure_file() const { return directory.string() + ".failed"; }
};

/// The configuration of the run, with its seed.
Experiment experiment_of(const PlannedRun& run);

/// The sentence that a failed run ended with; none if it has not failed.
std::optional<std::string> failure_of(const PlannedRun& run);

/// How far a run has come, as of its last evaluation.
struct RunState {
  std::int64_t done = 0, total = 0;  ///< transitions, or episodes
  bool by_episodes = false;
  double seconds = 0;  ///< of training
  double rate = 0;     ///< per second; 0: unknown
  double success = 0, mean_return = 0;
  bool evaluated = false;  ///< success and mean_return are known
  bool trained = false;    ///< and not those of the evaluation before training
};
/// @param experiment experiment_of(run)
/// @throws std::runtime_error if its curve cannot be read
RunState state_of(const PlannedRun& run, const Experiment& experiment);
/// The same of a run that nobody trains: as of its newest checkpoint, if that is later.
RunState saved_state_of(const PlannedRun& run, const Experiment& experiment);

/// What sets the run that is there apart from the planned one, in a sentence; empty if it is the same.
/// @throws UsageError or std::runtime_error if it cannot be read
std::string difference_from_plan(const PlannedRun& run, bool any_build);

/// Whether a planned run has finished, and if it has begun, that it can go on.
/// @param purpose for messages, "this figure"
/// @param tell gets sentences on what it is
/// @param any_build whatever the build of what is there
/// @throws UsageError if its directory holds something else: nothing is deleted
bool finished_earlier(PlannedRun& run, const char* purpose, const std::function<void(const std::string&)>& tell,
                      bool any_build = false);

struct Plan {
  std::filesystem::path directory;
  BuildInfo build;  ///< of the program that made it
  std::vector<PlannedRun> runs;
};

/// Writes plan.json and the settings. The caller holds the DirectoryLock. @throws UsageError if the directory holds a
/// plan, or settings of another one
/// @param replace an earlier plan of the directory, whose runs stay where they are
void write_plan(const Plan& plan, bool replace);
/// @throws UsageError naming the file if it is none, or if a setting was changed since
Plan read_plan(const std::filesystem::path& directory);

}  // namespace goalpost
