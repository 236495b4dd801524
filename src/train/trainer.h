#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "algos/agent.h"
#include "autodiff/gemm.h"
#include "core/config.h"
#include "core/rng.h"
#include "envs/vector_env.h"
#include "report/statistics.h"

namespace goalpost {

enum class RecordMode : int { none, train, eval, all };
inline constexpr std::array kRecordModeNames = {"none", "train", "eval", "all"};
constexpr EnumNames enum_names(RecordMode) { return kRecordModeNames; }

struct TrainConfig {
  std::int64_t total_steps = 1'000'000;
  std::int64_t total_episodes = 0;
  int lanes = 1;
  int threads = 1;
  Precision precision = Precision::float32;
  std::int64_t warmup_steps = 10'000;
  double updates_per_step = 1;
  int cycle_episodes = 0;
  int cycle_updates = 0;
  bool overlap = false;
  std::int64_t eval_every = 10'000;
  int eval_episodes = 100;
  int final_eval_episodes = 1'000;
  std::vector<std::string> eval_env = {};
  double stop_success = 0;
  int stop_evals = 3;
  std::int64_t checkpoint_every = 100'000;
  int checkpoints_kept = 2;
  bool checkpoint_replay = true;
  RecordMode record = RecordMode::none;
  bool record_compressed = false;
  bool histograms = false;
  std::int64_t film_every = 0;
};
constexpr auto fields(const TrainConfig*) {
  return std::tuple{
      field("total_steps", &TrainConfig::total_steps, "transitions of the run, over all lanes", 1, 1e15)
          .changeable_on_resume(),
      field("total_episodes", &TrainConfig::total_episodes, "the run also ends after so many episodes; 0: no limit", 0,
            1e15)
          .changeable_on_resume(),
      field("lanes", &TrainConfig::lanes, "environments stepped side by side", 1, 65536),
      field("threads", &TrainConfig::threads,
            "threads that step them, and that an update uses; results do not depend on it", 1, 1024)
          .without_effect()
          .changeable_on_resume(),
      field("precision", &TrainConfig::precision,
            "what the factors of large products are rounded to, for speed, on processors with AVX512-BF16, in training "
            "as in every evaluation of the policy; everything else is float32"),
      field("warmup_steps", &TrainConfig::warmup_steps, "transitions with random actions before the first update", 0,
            1e15),
      field("updates_per_step", &TrainConfig::updates_per_step, "gradient updates per transition; 0 with cycles", 0,
            10'000),
      field("cycle_episodes", &TrainConfig::cycle_episodes,
            "instead: collect so many episodes, then do cycle_updates; 0: no cycles", 0, 1e9),
      field("cycle_updates", &TrainConfig::cycle_updates, "updates at the end of every cycle", 0, 1e9),
      field("overlap", &TrainConfig::overlap,
            "update while the lanes step: actions are those of the parameters of one update ago, data is one step old"),
      field("eval_every", &TrainConfig::eval_every, "transitions between two evaluations", 1, 1e15),
      field("eval_episodes", &TrainConfig::eval_episodes,
            "episodes of each evaluation, without exploration. Chains of sub-tasks are run whole: as many as can give "
            "this number, so there may be more episodes, or fewer where chains break",
            1, 1e9),
      field("final_eval_episodes", &TrainConfig::final_eval_episodes,
            "episodes of the evaluation after training, counted as eval_episodes", 1, 1e9)
          .changeable_on_resume(),
      field("eval_env", &TrainConfig::eval_env,
            "settings of the environment that evaluations have instead of its own, e.g. [\"env.goals=fixed\"]"),
      field("stop_success", &TrainConfig::stop_success,
            "training ends early when stop_evals evaluations in a row reach this success; 0: never", 0, 1)
          .changeable_on_resume(),
      field("stop_evals", &TrainConfig::stop_evals, "see stop_success", 1, 1e6).changeable_on_resume(),
      field("checkpoint_every", &TrainConfig::checkpoint_every,
            "transitions between two checkpoints, from which `goalpost train --resume` goes on; 0: none. With a replay "
            "buffer they are about as large as that",
            0, 1e15)
          .without_effect()
          .changeable_on_resume(),
      field("checkpoints_kept", &TrainConfig::checkpoints_kept, "the newest so many stay while the run goes on", 1, 1e6)
          .without_effect()
          .changeable_on_resume(),
      field("checkpoint_replay", &TrainConfig::checkpoint_replay,
            "save the replay buffer too; false: small checkpoints, but a resumed run fills its memory anew and differs "
            "from one that was not interrupted")
          .without_effect()
          .changeable_on_resume(),
      field("record", &TrainConfig::record,
            "which episodes are recorded, in episodes.h5: none, those of training, of evaluations, or all")
          .without_effect(),
      field("record_compressed", &TrainConfig::record_compressed,
            "shuffle and deflate them: smaller by a third and more, and written far slower")
          .without_effect(),
      field("histograms", &TrainConfig::histograms,
            "for TensorBoard, at every evaluation: of Q over the last batch, and of the sub-goals of a hierarchy")
          .without_effect()
          .changeable_on_resume(),
      field("film_every", &TrainConfig::film_every,
            "transitions between two films of an evaluation episode, films/step_<n>.mp4, made after the next "
            "evaluation; 0: none. Results do not depend on it",
            0, 1e15)
          .without_effect()
          .changeable_on_resume(),
  };
}
static_assert(complete<TrainConfig>);

/// Means over the episodes of an evaluation.
struct Evaluation {
  int episodes = 0;
  bool complete = false;         ///< false: stopped on the way, which is no measurement
  int unstable = 0;              ///< episodes that an unstable simulation has cut: they count as failed
  std::string instability = {};  ///< the sentence of the first of them
  /// Share of episodes whose last step is a success. Of chains: of EnvSpec::chain episodes each, so that those after a
  /// break count as failures.
  double success = 0;
  double success_any = 0;  ///< the same share with a success at any step
  double reward = 0;       ///< mean undiscounted return
  double length = 0;       ///< mean number of steps
  /// One of EnvSpec::kinds.
  struct Kind {
    std::string name;
    int episodes = 0;
    double success = 0;  ///< share of these episodes; NaN if there were none
  };
  std::vector<Kind> kinds = {};
  /// Sums over each chain of episodes: what is independent of each other. Without chains of sub-tasks, an episode.
  struct Chain {
    double episodes = 0, success = 0, success_any = 0, reward = 0, length = 0;
  };
  std::vector<Chain> chains = {};
};

/// 95 % intervals of the means of an evaluation. Of the rates by Wilson's score interval with a trial per chain, of the
/// others by ratio_interval over the chains (run/statistics.h). @pre at least one chain was completed
struct EvaluationIntervals {
  Interval success, success_any, reward, length;
};
EvaluationIntervals evaluation_intervals(const Evaluation& e);

/// Chains of episodes that an evaluation of so many episodes runs: whole ones, each of at most EnvSpec::chain episodes.
int evaluation_chains(int episodes, const EnvSpec& spec);
/// In how many environments side by side evaluations run them.
int evaluation_lanes(int episodes, const EnvSpec& spec);

/// Runs episodes without exploration, from fresh episodes drawn from rng: evaluation_chains whole chains. Each lane
/// runs a fixed share of them, so that neither short episodes nor short chains are favored. Without chains of sub-tasks
/// these are as many episodes as asked for; with them there may be more, or fewer if chains break. Depends on the
/// agent's policy, the number of lanes and rng only; the expectation of successes on the policy only. Return and length
/// are means over the episodes that were run, so where chains break few chains favor those that break early.
/// @param stop asked now and then; when true the episodes so far are returned, and they are not complete
/// @param on_step told of every step of the lanes whose episode counts
Evaluation evaluate(
    Agent& agent, VectorEnv& env, int episodes, Rng rng, const std::function<bool()>& stop = [] { return false; },
    const std::function<void(const StepBatch&, std::size_t lane)>& on_step = {});

/// Where a run stands. Counters are exact and reproducible; wall_seconds is not.
struct TrainProgress {
  std::int64_t step = 0;      ///< transitions
  std::int64_t episodes = 0;  ///< finished
  std::int64_t updates = 0;
  double wall_seconds = 0;
  double success = 0, success_any = 0, reward = 0, length = 0;  ///< means of the last 100 training episodes
  std::int64_t unstable_episodes = 0;                           ///< of training, that an unstable simulation has cut
  void visit_state(StateVisitor& v);
};

/// Told of what the loop does: what records episodes. @alloc none where steps are told of
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_training_step(const StepBatch&, const TrainProgress&) {}
  virtual void on_evaluation_begin() {}
  virtual void on_evaluation_step(const StepBatch&, std::size_t /*lane*/, const TrainProgress&) {}
  virtual void on_evaluation_stopped() {}  ///< it does not count, and will be done again
  virtual void visit_state(StateVisitor&) {}
};

enum class TrainEnd { budget, success, interrupted };

/// Sums over the running episode of every lane.
struct EpisodeSums {
  std::vector<double> reward;
  std::vector<std::uint64_t> length, success_any;
  explicit EpisodeSums(int lanes);
  void add(const StepBatch& step, std::size_t lane);
  void clear(std::size_t lane);
  void visit_state(StateVisitor& v);
};

/// The last 100 training episodes, the window of rollout/ep_rew_mean.
class RecentEpisodes {
 public:
  void add(double success, double success_any, double reward, double length, bool unstable = false);
  int unstable() const;                ///< how many of them an unstable simulation has cut
  void write(TrainProgress& p) const;  ///< the means
  void visit_state(StateVisitor& v);

 private:
  static constexpr std::size_t kWindow = 100;
  std::array<double, 4 * kWindow> entries_{};
  std::array<std::uint64_t, kWindow> unstable_{};
  std::uint64_t count_ = 0;
};

/// What the loop knows besides agent and environments. With these three a run goes on as if it had never stopped.
struct TrainState {
  TrainProgress progress = {};
  double updates_due = 0;
  bool evaluation_due = true;  ///< a run begins with an evaluation
  std::int64_t cycles = 0;     ///< completed
  std::int64_t evaluations = 0;
  std::int64_t successes_in_a_row = 0;
  std::int64_t checkpoint_step = 0;  ///< of the last checkpoint that was due
  Rng warmup_rng;
  EpisodeSums sums;  ///< training episodes that are under way
  RecentEpisodes recent = {};
  Metrics metrics = {};  ///< since the last evaluation

  /// @param rng of the run
  TrainState(Rng rng, int lanes) : warmup_rng(rng.stream("warmup")), sums(lanes) {}
  void visit_state(StateVisitor& v);
};

/// Everything a run consists of.
struct Run {
  Agent& agent;
  VectorEnv& env;
  VectorEnv& eval_env;
  Rng rng;
  /// Called after every evaluation, with the metrics since the last one.
  std::function<void(const TrainProgress&, const Evaluation&, const Metrics&)> on_evaluation;
  std::function<void(const TrainProgress&)> on_step = [](const TrainProgress&) {};  ///< after every step of all lanes
  std::function<bool()> stop = [] { return false; };  ///< asked after every step; ends the run cleanly
  /// Told of the first unstable simulation of training or evaluations since train() was called.
  std::function<void(const std::string&)> on_unstable = [](const std::string&) {};
  std::function<void()> on_checkpoint = [] {};  ///< every checkpoint_every transitions, at the end, and when stopped
  TrainState state = TrainState(rng, env.lanes());
  RunObserver* observer = nullptr;

  const TrainProgress& progress() const { return state.progress; }
  /// Agent, environments and loop. @param memory false leaves out what the agent has collected
  void visit_state(StateVisitor& v, bool memory = true);
};

/// Training episodes of the last 100 that may be unstable before the run ends.
inline constexpr int kMostUnstable = 10;

/// The training loop: act, step, observe, update, evaluate. Goes on from run.state. An episode whose simulation becomes
/// unstable is cut before that step, and the run goes on.
/// Learning needs as many transitions in the memory as the warm-up collects: after a resume without the memory it waits
/// until they are there, and then does what was due.
/// @throws NumericsError naming step and update if a loss is not finite
/// @throws std::runtime_error if more than kMostUnstable of the last 100 training episodes were unstable
TrainEnd train(Run& run, const TrainConfig& c);

}  // namespace goalpost
