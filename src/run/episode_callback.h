// Records the episodes of a run that train.record selects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "envs/vector_env.h"
#include "run/experiment.h"
#include "storage/episode_recorder.h"
#include "train/callback.h"

namespace goalpost {

/// Before an evaluation and before a checkpoint a part is finished, so that later parts can be removed.
class EpisodeCallback final : public TrainCallback {
 public:
  /// Evaluations may have another time limit (train.eval_env): the file's is the longer one.
  EpisodeCallback(const std::filesystem::path& directory, Experiment& e, const VectorEnv& env,
                  const VectorEnv& eval_env);
  void on_training_step(const StepBatch& step, const TrainProgress& p) override;
  void on_evaluation_begin(int most) override;
  void on_evaluation_step(const StepBatch& step, std::size_t lane, const TrainProgress& p) override;
  void on_evaluation_stopped() override;
  void on_checkpoint(const TrainProgress& p) override;
  const char* state_name() const override { return "observer"; }
  void visit_state(StateVisitor& v) override;
  void finish() { recorder_.finish(); }

 private:
  RecordMode mode_;
  EpisodeStage training_, evaluation_;
  EpisodeRecorder recorder_;
  std::uint64_t before_evaluation_ = 0;
};

}  // namespace goalpost
