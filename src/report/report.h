// From run directories to results: runs of one setting are grouped over their seeds, summarised with intervals, and
// recorded below src/experiments/results, from which the README's table is made.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "run/runner.h"

namespace goalpost {

/// A setting of a run that its experiment's file has otherwise, or that lies along the x axis of a figure.
struct Change {
  std::string path, value;
  bool axis;
};

/// A finished run, or a recorded one, and what sets it apart: from its experiment's file, or if there is no such file
/// from other runs of the same name.
struct FinishedRun {
  std::filesystem::path directory;
  std::filesystem::path curve;  ///< the CSV file of its evaluations
  bool recorded = false;        ///< read from src/experiments/results: there is no run directory
  Experiment experiment;
  RunResult result;
  std::vector<Change> changes = {};
  /// "env.bits=40", several joined by ","; empty if nothing differs. Values are TOML; a string has no quotes where it
  /// is read as the same string without them.
  std::string variant = {};
  std::string build = {};               ///< "revision abc", if runs of this variant are of several builds
  bool known = true;                    ///< its experiment is one of experiment_names()
  std::optional<double> expected = {};  ///< of the experiment's file; none if more differs than the place in a figure

  /// What is measured: the final success, or the final mean return where the experiment's file expects one.
  bool measures_return() const { return experiment.source.expected_return.has_value(); }
  double measured() const { return measures_return() ? result.final.reward : result.final.success; }
};

/// What a learning curve can show: a column of eval.csv and of recorded curves, or of train.csv, which has the means
/// over the training episodes since the evaluation before.
struct Measure {
  const char *column, *label;
  bool rate;             ///< between 0 and 1
  const char* training;  ///< its name in train.csv; null: of the evaluations
};
inline constexpr std::array kMeasures = {
    Measure{"success", "success rate", true, nullptr}, Measure{"return", "mean return", false, nullptr},
    Measure{"train_success", "success rate in training", true, "success"},
    Measure{"train_return", "mean return in training", false, "return"},
    Measure{"lo_reward", "intrinsic reward per step in training", false, "lo_reward"}};
/// @throws UsageError naming all measures if there is none with this column
const Measure& find_measure(const std::string& column);
/// A number for each row of the run's curve, NaN where there is none; empty if nothing of the run has the measure.
/// @throws std::runtime_error if a file cannot be read
std::vector<double> read_measure(const FinishedRun& run, const Measure& measure);

/// All finished runs and recorded results below the directories, sorted by experiment, variant and seed. A recorded
/// result is a directory with summary.json (all settings of an experiment), or one of a single setting below it.
/// Runs differ in build only if both say so: earlier versions recorded less.
/// @param unreadable if given, a sentence is added here on each of these, which are left out: directories, runs,
/// recorded settings and seeds that cannot be read, directories that hold none beside others that do, and every run
/// after the first of one setting, build and seed
/// @throws UsageError if a directory is none, or nothing is found or told; without unreadable for what would be left
/// out
std::vector<FinishedRun> find_runs(const std::vector<std::filesystem::path>& directories,
                                   std::vector<std::string>* unreadable = nullptr);

/// Whether a run directory has this file. @throws std::runtime_error if it is something else: reading a pipe may never
/// end
bool has_file(const std::filesystem::path& file);

/// What one setting has reached over its seeds, all of one build: success, or the return
/// (FinishedRun::measures_return).
struct Summary {
  std::string experiment, variant, build;
  std::vector<const FinishedRun*> runs;
  /// Interquartile mean and 95 % interval: bootstrap over seeds; with one seed Wilson's of its episodes. Low and high
  /// are NaN where that is unknown: of a return, as results keep no returns of episodes, and of chains of sub-tasks.
  double value, low, high;
  double steps;            ///< mean transitions until training ended
  bool meets_expectation;  ///< value >= expected up to rounding, or nothing is expected
  bool chained = false;    ///< one seed, evaluated in chains of sub-tasks: its episodes are not independent

  /// The variant, and the build in brackets.
  std::string setting() const;
};
std::vector<Summary> summarise(const std::vector<FinishedRun>& runs);

/// "[0.210, 0.295]"; "-" if the interval is unknown (NaN).
std::string interval_text(double low, double high, int digits);

/// The table of summaries as text.
std::string summary_table(const std::vector<Summary>& summaries);

/// src/experiments/results
std::filesystem::path results_directory();

/// Writes <experiment>[/<variant>]/seed_<s>.csv below the directory, and one summary.json per experiment. Settings and
/// seeds that were recorded earlier stay; if they are of another build, a note on stderr says so.
/// @throws UsageError before anything is written if a run is of a source revision with uncommitted changes, or is
/// itself a recorded one, if its experiment has no file, if its variant does not read back to its settings or has no
/// directory of its own, or if runs of one setting are of several builds
void record(const std::vector<Summary>& summaries, const std::filesystem::path& directory = results_directory());

/// The README's table of reproduced experiments, made from the recorded summaries.
std::string readme_table();
/// The same of some experiments, with all their settings, for a page beside them.
std::string page_table(const std::vector<std::string>& experiments);
/// A text with its tables of results as they are now; they stand between markers.
/// @throws std::runtime_error if a marker of a table's end is missing
std::string with_tables(std::string text);
/// The README and the pages beside the experiments.
std::vector<std::filesystem::path> documents_with_tables();
/// Writes the tables of all documents anew.
void renew_tables();

}  // namespace goalpost
