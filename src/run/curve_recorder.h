// The curves of a run: rows of eval.csv and train.csv, and the same for TensorBoard.
#pragma once

#include "algos/agent.h"
#include "core/metrics.h"
#include "run/experiment.h"
#include "storage/run_log.h"
#include "train/evaluation.h"
#include "train/state.h"

namespace goalpost {

/// Turns a progress into the rows of train.csv and eval.csv. The tags are those of Stable-Baselines3.
/// seconds_<phase> of train.csv (PhaseSeconds) are since the row before, or since the run was resumed; those of a row's
/// own evaluation are in that row. With train.overlap, phases run beside each other and add up to more than
/// wall_seconds.
class CurveRecorder {
 public:
  /// @param begin where this process takes the run up; rates are taken from there on
  CurveRecorder(RunLog& log, const TrainProgress& begin) : log_(log), last_(begin) {}
  void write(const TrainProgress& p, const Evaluation& e, const Metrics& metrics);

 private:
  RunLog& log_;
  TrainProgress last_;
};

/// For TensorBoard's HPARAMS tab; runs that differ in nothing but the seed form a group.
void log_hparams(Experiment& e, RunLog& log);

/// For TensorBoard: the agent's distributions at this step.
void write_histograms(Agent& agent, std::int64_t step, RunLog& log);

}  // namespace goalpost
