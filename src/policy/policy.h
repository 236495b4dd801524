// A trained policy by itself, as policy.h5 holds it: networks, normalizer, range of actions and, of HIRO, the rules of
// sub-goals; without learners, environments and simulators. libgoalpost_policy is this and what it needs.
//
//   Policy policy = Policy::read("runs/fetch_push_fast/seed_1");
//   PolicyMemory memory(policy, 1);                // of one environment
//   policy.act(obs, desired_goal, memory, action); // action in the environment's unit
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "autodiff/tape.h"
#include "core/matrix.h"
#include "nn/mlp.h"
#include "nn/normalizer.h"

namespace goalpost {

inline constexpr char kPolicyKind[] = "goalpost policy";  ///< of the state in policy.h5
inline constexpr char kPolicyAbout[] = "about";           ///< its attribute for other readers, JSON

/// How the outputs y of a network become an action a.
enum class PolicyHead : int {
  tanh,      ///< a = tanh(y)
  gaussian,  ///< y = [μ; log σ], a = tanh(μ); sampled: tanh(μ + exp(clip(log σ, -20, 2)) ε), ε ~ N(0, I)
  argmax,    ///< the index of the first greatest entry
};

/// A network with its way to act.
struct PolicyLevel {
  std::string name;  ///< of its group in policy.h5: "pi", "q", "low/pi"
  MlpConfig config;
  Mlp network;
  PolicyHead head;

  /// Entries of an action.
  Index action_size() const { return head == PolicyHead::gaussian ? network.out() / 2 : network.out(); }
};

/// The rules by which HIRO's levels act together (algos/hiro/hiro.h).
struct PolicySubgoals {
  int c = 0;              ///< steps of a segment
  std::vector<int> dims;  ///< indices of the observation that sub-goals refer to: φ(s)
  Vector limits;          ///< [subgoal] of the displacements that the high level sets
  bool as_point = false;  ///< the low level sees the absolute target φ(s) + g, not the displacement g that is left
  bool first_is_zero = false;
  std::vector<int> hidden;   ///< indices of the observation that the low level sees as 0
  double reached = 0;        ///< a sub-goal reached this closely ends the segment; 0: none does
  bool mean_square = false;  ///< whether closeness is the mean squared displacement, not its norm
};

class PolicyMemory;

class Policy {
 public:
  /// @param path policy.h5, or a directory that holds one
  /// @throws std::runtime_error with path and reason if there is none, or it is of an earlier version that does not say
  /// how it acts, or of an algorithm whose networks are not known
  static Policy read(const std::filesystem::path& path);

  /// Acts for all columns. @shape obs [obs x N], goal [goal x N], action [act x N]: in the environment's unit, or an
  /// index @param noise [act x N] standard normal numbers: samples the action, of HIRO that of the low level; null: the
  /// most probable action @throws std::invalid_argument for other shapes, or noise where nothing is sampled
  /// @alloc none after the first call
  void act(ConstMatrixRef obs, ConstMatrixRef goal, PolicyMemory& memory, MatrixRef action,
           const Matrix* noise = nullptr) const;

  /// Whether actions can be sampled.
  bool is_stochastic() const { return levels.front().head == PolicyHead::gaussian; }
  Index action_size() const { return choices > 0 ? 1 : low.size(); }

  std::string algorithm, environment, revision, identity;
  std::string precision = "float32";  ///< of the products in training
  std::int64_t step = 0;              ///< transitions of training
  std::int64_t seed = 0;
  Index obs_size = 0, goal_size = 0;
  Index zeros = 0;   ///< entries that are always 0 between both, in the networks' input (algos/relay.h)
  int choices = 0;   ///< of discrete actions; 0: continuous
  Vector low, high;  ///< [act] range of continuous actions, in the environment's unit
  NormalizerConfig normalizer_config;
  std::optional<Normalizer> normalizer;  ///< of [obs; zeros; goal]
  std::vector<PolicyLevel> levels;       ///< the one that acts in the environment first; of HIRO low and high
  std::optional<PolicySubgoals> subgoals;

 private:
  void act_low(ConstMatrixRef obs, ConstMatrixRef goal, PolicyMemory& m, const Matrix* noise) const;
};

/// What acting keeps from step to step, and scratch. One for each thread.
class PolicyMemory {
 public:
  /// @param lanes environments that are acted in side by side; each begins an episode
  PolicyMemory(const Policy& policy, Index lanes);
  /// The next step is the first of an episode.
  void begin_episode(Index lane) { k_[static_cast<std::size_t>(lane)] = 0; }
  /// [subgoal x lanes] targets of HIRO's sub-goals, in the observation's unit.
  const Matrix& points() const { return point_; }

 private:
  friend class Policy;
  Tape tape_;
  Matrix state_, action_, high_in_, high_out_, low_in_;
  Matrix point_, subgoal_;  // [subgoal x lanes] target, displacement that is left
  std::vector<int> k_;      // steps of the segment; 0: an episode begins
  std::vector<Index> due_;
};

}  // namespace goalpost
