// Scripted transitions for tests of the replay memory: every number says where it comes from.
#pragma once

#include <vector>

#include "envs/vector_env.h"

namespace goalpost::test {

// State t of episode e in lane l is observed as (l, e, t), and it achieves the goal (l, e, t). The goal pursued in the
// episode is (l, e, -1), which is never achieved.
inline Scalar script_reward(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
}

inline EnvSpec script_spec(int max_steps, bool ends_at_goal = false) {
  EnvSpec spec;
  spec.name = "Script";
  spec.obs_dim = 3;
  spec.action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = 1000, .low = {}, .high = {}};
  spec.goal = {.dim = 3, .radius = Scalar(0.5), .ends_at_goal = ends_at_goal, .reward = &script_reward};
  spec.max_steps = max_steps;
  return spec;
}

inline constexpr Scalar kScriptFailure = -50;

/// One transition as it was written.
struct Written {
  int episode = 0;
  int t = 0;        // within the episode
  Index begin = 0;  // the lane's count at the episode's start
  Index end = -1;   // one past its last transition, -1 while it runs
  bool terminated = false;
};

/// Steps all lanes through episodes of lengths 1 ... max_steps, different from lane to lane; every third episode ends
/// by the task, the others by time. With failures every third ends by a failure instead, which costs kScriptFailure.
class Script {
 public:
  Script(const EnvSpec& spec, int lanes, bool failures = false)
      : max_steps_(spec.max_steps), failures_(failures), written(static_cast<std::size_t>(lanes)) {
    const auto n = static_cast<std::size_t>(lanes);
    episode_.resize(n);
    t_.resize(n);
    const Matrix goal = Matrix::Zero(3, lanes);
    step_ = {{goal, goal, goal},
             Matrix::Zero(1, lanes),
             Matrix::Constant(1, lanes, -1),
             std::vector<std::uint8_t>(n),
             std::vector<std::uint8_t>(n),
             std::vector<std::uint8_t>(n),
             std::vector<std::uint8_t>(n),
             {goal, goal, goal}};
  }

  static int length(int lane, int episode, int max_steps) { return 1 + (7 * episode + 3 * lane) % max_steps; }

  const StepBatch& next() {
    for (std::size_t i = 0; i < written.size(); ++i) {
      const auto lane = static_cast<Index>(i);
      const int e = episode_[i], t = t_[i];
      std::vector<Written>& log = written[i];
      const Index begin = static_cast<Index>(log.size()) - t;
      const bool ended = t + 1 == length(static_cast<int>(i), e, max_steps_);
      step_.before.obs.col(lane) << Scalar(i), Scalar(e), Scalar(t);
      step_.after.obs.col(lane) << Scalar(i), Scalar(e), Scalar(t + 1);
      step_.before.achieved.col(lane) = step_.before.obs.col(lane);
      step_.after.achieved.col(lane) = step_.after.obs.col(lane);
      step_.before.desired.col(lane) << Scalar(i), Scalar(e), Scalar(-1);
      step_.after.desired.col(lane) = step_.before.desired.col(lane);
      step_.action(0, lane) = Scalar((13 * e + t) % 1000);
      step_.terminated[i] = ended && e % 3 == 0;
      step_.failed[i] = failures_ && step_.terminated[i];
      step_.reward(0, lane) = step_.failed[i] ? kScriptFailure : Scalar(-1);
      step_.truncated[i] = ended && e % 3 != 0;
      log.push_back({e, t, begin, -1, step_.terminated[i] != 0});
      t_[i] = ended ? 0 : t + 1;
      if (!ended) continue;
      for (Index k = begin; k <= begin + t; ++k) log[static_cast<std::size_t>(k)].end = begin + t + 1;
      ++episode_[i];
    }
    return step_;
  }

 private:
  int max_steps_;
  bool failures_;
  std::vector<int> episode_, t_;
  StepBatch step_;

 public:
  std::vector<std::vector<Written>> written;  ///< [lane][count of the lane]
};

}  // namespace goalpost::test
