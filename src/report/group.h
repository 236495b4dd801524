// What sets runs apart and what belongs together: runs of one setting and build, over their seeds.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "report/measured_run.h"
#include "run/build_info.h"
#include "run/experiment.h"

namespace goalpost {

/// The experiment of a run without its changes: of a known one its file, of a pair the defaults.
Experiment plain_experiment(const MeasuredRun& run);

/// The parts between commas, without empty ones: commas inside brackets and quotes belong to a part.
std::vector<std::string> split_list(const std::string& text);
/// "env.bits=40,agent.dqn.q.hidden=[64, 64]" taken apart by split_list.
std::vector<Change> changes_of(const std::string& variant, const std::set<std::string>& axes);
/// The same variant with the present names of settings and values in place of those of earlier versions.
/// @param experiment names the environment and the algorithm
std::string present_variant(const std::string& variant, const Experiment& experiment);
/// The experiment of a file with changes put over it. @throws UsageError as make_experiment
Experiment changed_experiment(const std::string& name, const std::vector<Change>& changes);

/// Names what sets the run apart: "path=value" of every field that differs from the experiment's file and may affect
/// the result, and of the settings along the axes of figures that show the experiment: 40 bits are one point among
/// others, also if the file says 40.
void name_variant(MeasuredRun& run);
/// The same for runs of one name that no experiment of ours has: "path=value" of every setting in which they differ.
/// Of another environment or algorithm that is named alone; what only its own settings have would say nothing more.
void name_variants(const std::vector<MeasuredRun*>& runs);

/// What is known of the build of a run. Of a recorded one that is revision and processor.
BuildInfo build_of(const MeasuredRun& run);
/// Names the builds of runs of one variant, where they are of several.
void name_builds(const std::vector<MeasuredRun*>& runs);

/// Numbers inside names in numeric order: env.bits=9 before env.bits=10.
bool natural_less(const std::string& a, const std::string& b);
/// Whether two runs are of one experiment, variant and build; unfinished runs are no setting's but each other's.
bool same_setting(const MeasuredRun& a, const MeasuredRun& b);

/// What one setting has reached over its seeds, all of one build: success, or the return
/// (MeasuredRun::measures_return).
struct Summary {
  std::string experiment, variant;
  std::string build;  ///< and of unfinished runs "running" or "interrupted"
  std::vector<const MeasuredRun*> runs;
  /// Interquartile mean and 95 % interval: bootstrap over seeds; with one seed Wilson's of its episodes. Low and high
  /// are NaN where that is unknown: of a return, as results keep no returns of episodes, and of chains of sub-tasks.
  double value, low, high;
  double steps;            ///< mean transitions until training ended
  bool meets_expectation;  ///< value >= expected up to rounding, or nothing is expected
  bool chained = false;    ///< one seed, evaluated in chains of sub-tasks: its episodes are not independent

  bool finished() const { return runs.front()->finished; }
  /// The variant, of recorded runs as it was recorded, and the build in brackets.
  std::string setting() const;
};
/// A summary for each setting of the runs, which are sorted as find_runs returns them. The value and interval of
/// unfinished runs are NaN.
/// @throws UsageError if two runs of a setting have one seed
std::vector<Summary> summarize(const std::vector<MeasuredRun>& runs);
/// The statistics of a summary whose runs are known.
void compute(Summary& summary);

/// "[0.210, 0.295]"; "-" if the interval is unknown (NaN).
std::string interval_text(double low, double high, int digits);

}  // namespace goalpost
