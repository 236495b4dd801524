// Finding finished runs and recorded results below directories, and reading what was measured in them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "report/measure.h"
#include "report/measured_run.h"
#include "report/statistics.h"

namespace goalpost {

/// A number for each row of the run's curve, NaN where there is none; empty if nothing of the run has the measure.
/// @throws std::runtime_error if a file cannot be read
std::vector<double> read_measure(const MeasuredRun& run, const Measure& measure);
/// The evaluations of a run, of success or of the return (MeasuredRun::measures_return).
/// @param x "step" or "wall_seconds"
/// @throws UsageError if they cannot be read, there is none, or a number of them is missing
Curve evaluations_of(const MeasuredRun& run, const char* x);

/// All finished runs and recorded results below the directories, sorted by experiment, variant and seed. A recorded
/// result is a directory with summary.json (all settings of an experiment), or one of a single setting below it.
/// Runs differ in build only if both say so: earlier versions recorded less.
/// @param unreadable if given, a sentence is added here on each of these, which are left out: directories, runs,
/// recorded settings and seeds that cannot be read, directories that hold none beside others that do, and every run
/// after the first of one setting, build and seed
/// @param unfinished if given, the runs that have evaluations but no result yet are put here, in the same order
/// @param baseline if given, the runs below this directory are a baseline (MeasuredRun::baseline)
/// @throws UsageError if a directory is none, or nothing is found or told; without unreadable for what would be left
/// out
std::vector<MeasuredRun> find_runs(const std::vector<std::filesystem::path>& directories,
                                   std::vector<std::string>* unreadable = nullptr,
                                   std::vector<MeasuredRun>* unfinished = nullptr,
                                   const std::filesystem::path& baseline = {});
/// "running, 40,000 of 100,000 steps"
std::string state_text(const MeasuredRun& unfinished);

/// A variant as a folder name: no separators.
std::string folder(const std::string& variant);
/// Where a setting is recorded, below its experiment's directory.
std::filesystem::path place_of(const std::filesystem::path& top, const std::string& variant);

/// What becomes of an error of `read`, which looks at `where`.
using Guard = std::function<void(const std::filesystem::path& where, const std::function<void()>& read)>;
/// Takes the runs of the wanted settings of a recorded experiment. Their configuration is that of the experiment's file
/// with the recorded changes. @param guarded around every setting and every seed
/// @throws UsageError
void read_recorded(const std::filesystem::path& top, const std::function<bool(const std::string& variant)>& wanted,
                   const Guard& guarded, const std::function<void(MeasuredRun)>& take);

}  // namespace goalpost
