// A run as reports take it: its configuration, its result, and what sets it apart.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "run/run_result.h"

namespace goalpost {

/// A setting of a run that its experiment's file has otherwise, or that lies along the x axis of a figure.
struct Change {
  std::string path, value;
  bool axis;
};

/// A run, finished or not, or a recorded one, and what sets it apart: from its experiment's file, or if there is no
/// such file from other runs of the same name.
struct MeasuredRun {
  std::filesystem::path directory;
  std::filesystem::path curve;  ///< the CSV file of its evaluations
  bool recorded = false;        ///< read from src/experiments/results: there is no run directory
  /// Otherwise the result has the steps up to now, `end` is "running" or "interrupted", and there is no final
  /// evaluation.
  bool finished = true;
  bool baseline = false;  ///< lies below the directory that others are compared with: never a seed of their setting
  Experiment experiment;
  RunResult result;
  std::vector<Change> changes = {};
  /// "env.bits=40", several joined by ","; empty if nothing differs. Values are TOML; a string has no quotes where it
  /// is read as the same string without them.
  std::string variant = {};
  std::string recorded_as = {};  ///< the variant as summary.json has it: an earlier version may have named it otherwise
  /// "revision abc", if runs of this variant are of several builds; "baseline" for those, if there are others.
  std::string build = {};
  bool known = true;                    ///< its experiment is one of experiment_names()
  bool pair = false;                    ///< it is that of an algorithm on an environment that no experiment has
  std::optional<double> expected = {};  ///< of the experiment's file; none if more differs than the place in a figure

  /// What is measured: the final success, or the final mean return where the experiment's file expects one.
  bool measures_return() const { return experiment.measures_return(); }
  double measured() const { return measures_return() ? result.final.mean_return : result.final.success; }
};

}  // namespace goalpost
