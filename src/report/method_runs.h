// What in a report can be compared: runs in one environment form a group, equal settings of it are a task, and an
// experiment, as it is or with changes, is a method.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "report/collect.h"
#include "report/group.h"
#include "report/measured_run.h"
#include "report/statistics.h"

namespace goalpost {

/// The runs of one method on one task: a curve.
struct MethodRuns {
  const Summary* summary;
  std::string task;    ///< what its environment has that others of the group have not, "bits=50"; may be empty
  std::string method;  ///< the experiment, and what is changed in it: one curve in every figure
  std::string label;   ///< the same for readers, in figures
  bool changed;        ///< the method differs from its experiment's file
  std::vector<Curve> by_step, by_time;

  const MeasuredRun& first() const { return *summary->runs.front(); }
  bool finished() const { return summary->finished(); }
  std::size_t seeds() const { return summary->runs.size(); }
  std::vector<double> values() const {
    std::vector<double> v;
    for (const MeasuredRun* run : summary->runs) v.push_back(run->measured());
    return v;
  }
};

/// All that is measured alike in one environment.
struct EnvGroup {
  std::string env;
  bool returns;                ///< the measure is the return, else success
  std::vector<Change> common;  ///< what all runs have otherwise than their experiments' files
  std::vector<MethodRuns> method_runs;
  std::vector<std::string> tasks;  ///< in the order of their first appearance

  const char* measure() const { return returns ? "mean return" : "success rate"; }
};

/// Curves that share figures, the first of which may be there to compare with.
struct Panel {
  std::string title;
  std::vector<std::string> methods;
};

/// @throws UsageError if the evaluations of a run cannot be read
std::vector<EnvGroup> env_groups_of(const std::vector<Summary>& summaries);

/// The experiments as they are, then for each what was changed in it, beside it.
std::vector<Panel> panels_of(const EnvGroup& env_group);

/// Whether any setting has several finished seeds.
bool many_seeds(const EnvGroup& env_group);

/// The runs of a panel's methods on a task, in the panel's order, unfinished ones too. Where settings were run with
/// several seeds, finished ones with a single seed are left to the tables: they are points of a figure, and no
/// measurement of their own.
std::vector<const MethodRuns*> shown(const EnvGroup& env_group, const Panel& panel, const std::string& task);

/// Whether a setting is one of the environment in training or evaluation: runs with different values are different
/// tasks.
bool part_of_task(const std::string& path);

/// Whether a setting lies along the x axis of a figure: its values are tasks, not changes of a method.
bool on_axis(const Change& change);

/// Learning curves of any measure, one per seed, without the rows where it is missing. Empty if a seed has none.
/// @throws UsageError if the files of a run cannot be read
std::vector<Curve> curves_of(const MethodRuns& m, const Measure& measure);

using Fields = std::map<std::string, std::string>;  ///< values by path
/// The settings of a run that may affect its result, with what sets the method apart from its experiment taken back.
/// @param common changes that all runs have, which stay
Fields fields_without_changes(const MeasuredRun& run, const std::vector<Change>& common);

}  // namespace goalpost
