// Policies that other programs have trained, read as data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "autodiff/ops.h"
#include "core/matrix.h"

namespace goalpost {

/// How a program normalizes an input: clip((clip(x, ±raw_clip) − mean) / stddev, ±clip).
struct ForeignStatistics {
  Eigen::VectorXd mean, stddev;
};

struct ForeignPolicy {
  std::string algorithm;  ///< of `goalpost list algos`
  std::string source;     ///< the program, "Stable-Baselines3 2.3.2"
  /// The inputs in the order in which the network takes them; "obs" alone also stands for all three in this order:
  /// achieved_goal, desired_goal, obs.
  std::vector<std::string> inputs;
  struct Layer {
    Matrix W;  ///< [out x in]
    Vector b;
  };
  std::vector<Layer> layers;  ///< hidden ones, and the output; of SAC [μ; log σ]
  Activation activation = Activation::relu;
  std::map<std::string, ForeignStatistics> statistics;  ///< by input; none: not normalized
  double clip = 10, raw_clip = 1e12;
  std::int64_t step = 0;  ///< transitions of training, if it is known
};

/// Reads a policy by what the file is:
///   a zip of Stable-Baselines3 (SAC, TD3, DDPG or DQN)
///   model.pt of TianhongDai/hindsight-experience-replay and its forks (DDPG+HER)
/// No code of the file is run.
/// @param normalizer a pickled VecNormalize of Stable-Baselines3; empty: none
/// @throws std::runtime_error with path and reason
ForeignPolicy read_foreign_policy(const std::filesystem::path& file, const std::filesystem::path& normalizer);

}  // namespace goalpost
