// Keeps the files of a run up to date: policy, curves and checkpoints.
#pragma once

#include <optional>
#include <string>

#include "algos/agent.h"
#include "core/state.h"
#include "run/curve_recorder.h"
#include "run/experiment.h"
#include "run/run_result.h"
#include "storage/checkpoint.h"
#include "storage/run_log.h"
#include "train/callback.h"
#include "train/trainer.h"

namespace goalpost {

/// When a finished run is continued, its result is renamed with the first new checkpoint.
class RunFiles final : public TrainCallback {
 public:
  /// @param earlier the result of the finished run that is continued
  RunFiles(Experiment& e, Run& run, RunLog& log, std::optional<RunResult> earlier);
  void on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) override;
  void on_checkpoint(const TrainProgress& p) override;
  void on_unstable(const std::string& sentence) override;

  void save_last_policy();
  /// Saves what a resumed run needs for the final evaluation, after training and before that evaluation, if missing.
  void save_for_final_evaluation();
  /// Writes result.json; older checkpoints are removed.
  void finish(const RunResult& result);

 private:
  void save_checkpoint(bool replay, const std::string& config);

  Experiment& e_;
  Run& run_;
  RunLog& log_;
  std::optional<RunResult> earlier_;
  std::string config_;
  CurveRecorder curves_;
  CheckpointSeries checkpoints_;
};

/// The kind in checkpoints of runs (save_state).
inline constexpr char kCheckpointKind[] = "goalpost run";

}  // namespace goalpost
