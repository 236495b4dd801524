// The settings of the training loop: [train] of an experiment.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "autodiff/gemm.h"
#include "core/config.h"

namespace goalpost {

enum class RecordMode : int { none, train, eval, all };
inline constexpr std::array kRecordModeNames = {"none", "train", "eval", "all"};
constexpr EnumNames enum_names(RecordMode) { return kRecordModeNames; }

struct TrainConfig {
  std::int64_t total_steps = 1'000'000;
  std::int64_t total_episodes = 0;
  int num_envs = 1;
  int workers = 1;
  int threads = 1;
  Precision precision = Precision::float32;
  std::int64_t learning_starts = 10'000;
  double updates_per_step = 1;
  int cycle_episodes = 0;
  int cycle_updates = 0;
  bool overlap = false;
  std::int64_t eval_every = 10'000;
  bool eval_at_start = true;
  int eval_episodes = 100;
  int final_eval_episodes = 1'000;
  std::vector<std::string> eval_env = {};
  double stop_success = 0;
  int stop_evals = 3;
  std::int64_t checkpoint_every = 100'000;
  double checkpoint_share = 0.02;
  int checkpoints_kept = 2;
  bool checkpoint_replay = true;
  RecordMode record = RecordMode::none;
  bool record_compressed = false;
  bool histograms = false;
  std::int64_t video_every = 0;
};
constexpr auto fields(const TrainConfig*) {
  return std::tuple{
      field("total_steps", &TrainConfig::total_steps, "transitions of the run, over all parallel environments", 1, 1e15)
          .changeable_on_resume(),
      field("total_episodes", &TrainConfig::total_episodes,
            "the run also ends after this number of episodes; 0: no limit", 0, 1e15)
          .changeable_on_resume(),
      field("num_envs", &TrainConfig::num_envs, "parallel environments, of each worker", 1, 65536).formerly("lanes"),
      field("workers", &TrainConfig::workers,
            "workers that train one policy together, as HER's authors do with MPI: each has num_envs environments, a "
            "replay buffer and batches of its own, and gradients are summed over all. In one process, or over several "
            "with mpirun: results do not depend on it",
            1, 1024),
      field("threads", &TrainConfig::threads,
            "threads that step the environments and compute updates; results do not depend on it", 1, 1024)
          .without_effect()
          .changeable_on_resume(),
      field("precision", &TrainConfig::precision,
            "format to which the factors of large products are rounded, for speed, on processors with AMX or "
            "AVX512-BF16, in training and in every evaluation of the policy; everything else is float32"),
      field("learning_starts", &TrainConfig::learning_starts,
            "transitions before the first update; their actions are random", 0, 1e15)
          .formerly("warmup_steps"),
      field("updates_per_step", &TrainConfig::updates_per_step, "gradient updates per transition; 0 with cycles", 0,
            10'000),
      field("cycle_episodes", &TrainConfig::cycle_episodes,
            "instead of updates_per_step: collect this number of episodes, then do cycle_updates; 0: no cycles", 0,
            1e9),
      field("cycle_updates", &TrainConfig::cycle_updates, "gradient updates at the end of every cycle", 0, 1e9),
      field("overlap", &TrainConfig::overlap,
            "update while the environments step: actions are those of the parameters of one update ago, data is one "
            "step old"),
      field("eval_every", &TrainConfig::eval_every, "transitions between two evaluations", 1, 1e15),
      field("eval_at_start", &TrainConfig::eval_at_start, "evaluate the untrained policy, too: curves begin at step 0"),
      field("eval_episodes", &TrainConfig::eval_episodes,
            "episodes of each evaluation, without exploration. Chains of sub-tasks run to their end: as many chains as "
            "can give this number, so that there may be more episodes, or fewer if chains break",
            1, 1e9),
      field("final_eval_episodes", &TrainConfig::final_eval_episodes,
            "episodes of the evaluation after training, counted like eval_episodes", 1, 1e9)
          .changeable_on_resume(),
      field("eval_env", &TrainConfig::eval_env,
            "changed settings of the environment in evaluations, e.g. [\"env.goals=fixed\"]"),
      field("stop_success", &TrainConfig::stop_success,
            "training ends early when stop_evals consecutive evaluations reach this success; 0: never", 0, 1)
          .changeable_on_resume(),
      field("stop_evals", &TrainConfig::stop_evals, "see stop_success", 1, 1e6).changeable_on_resume(),
      field(
          "checkpoint_every", &TrainConfig::checkpoint_every,
          "transitions between two checkpoints, from which `goalpost train --resume` continues; 0: none. A checkpoint "
          "with the replay buffer is about as large as the buffer",
          0, 1e15)
          .without_effect()
          .changeable_on_resume(),
      field("checkpoint_share", &TrainConfig::checkpoint_share,
            "a due checkpoint is left out while the last one took more than 0.2 s and more than this share of the time "
            "since; 1: none is. With several workers none is",
            0.001, 1)
          .without_effect()
          .changeable_on_resume(),
      field("checkpoints_kept", &TrainConfig::checkpoints_kept, "number of newest checkpoints kept during the run", 1,
            1e6)
          .without_effect()
          .changeable_on_resume(),
      field("checkpoint_replay", &TrainConfig::checkpoint_replay,
            "save the replay buffer too; false: small checkpoints, but a resumed run fills its replay buffer anew and "
            "differs from an uninterrupted one")
          .without_effect()
          .changeable_on_resume(),
      field("record", &TrainConfig::record,
            "episodes to record in episodes.h5: none, those of training, those of evaluations, or all")
          .without_effect(),
      field("record_compressed", &TrainConfig::record_compressed,
            "shuffle and deflate recorded episodes: smaller by a third and more, but much slower to write")
          .without_effect(),
      field("histograms", &TrainConfig::histograms,
            "write histograms to TensorBoard at every evaluation: of Q over the last batch, and of a hierarchy's "
            "sub-goals")
          .without_effect()
          .changeable_on_resume(),
      field("video_every", &TrainConfig::video_every,
            "transitions between two videos of an evaluation episode, videos/step_<n>.mp4, made after the next "
            "evaluation; 0: none. Results do not depend on it",
            0, 1e15)
          .formerly("film_every")
          .without_effect()
          .changeable_on_resume(),
  };
}
static_assert(complete<TrainConfig>);

}  // namespace goalpost
