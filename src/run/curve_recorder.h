// The curves of a run: rows of eval.csv and train.csv, and the same numbers for TensorBoard.
#pragma once

#include "algos/agent.h"
#include "core/metrics.h"
#include "run/experiment.h"
#include "storage/run_log.h"
#include "train/evaluation.h"
#include "train/state.h"

namespace goalpost {

/// Writes the progress of a run as rows of train.csv and eval.csv. The tags are those of Stable-Baselines3.
/// seconds_<phase> of train.csv (PhaseSeconds) are since the row before, or since the run was resumed; those of a row's
/// own evaluation are in that row. With train.overlap, phases run beside each other and add up to more than
/// wall_seconds.
class CurveRecorder {
 public:
  /// @param begin where this process starts or resumes the run; rates are measured from there
  CurveRecorder(RunLog& log, const TrainProgress& begin) : log_(log), last_(begin) {}
  void write(const TrainProgress& p, const Evaluation& e, const Metrics& metrics);

 private:
  RunLog& log_;
  TrainProgress last_;
};

/// Writes the settings to TensorBoard's HPARAMS tab; runs that differ only in the seed form a group.
void log_hparams(Experiment& e, RunLog& log);

/// Writes the agent's distributions at this step to TensorBoard.
void write_histograms(Agent& agent, std::int64_t step, RunLog& log);

}  // namespace goalpost
