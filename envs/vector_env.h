#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envs/env.h"
#include "envs/step.h"

namespace goalpost {

/// N lanes stepped in parallel. The only place of time limits, restarts and action scaling.
/// Lane i draws from rng.stream("env", i), so results do not depend on the thread count.
class VectorEnv {
 public:
  VectorEnv(const EnvFactory& make, int lanes, Rng rng, int threads = 1);
  const EnvSpec& spec() const { return envs_.front()->spec(); }
  int lanes() const { return static_cast<int>(envs_.size()); }

  void reset();         ///< begins a new episode in every lane
  void reset(Rng rng);  ///< the same, from new random streams
  /// What to act on next; lanes that were restarted show the new episode.
  const ObsBatch& obs() const { return obs_; }
  const std::vector<std::uint8_t>& first() const { return first_; }  ///< [N] 1 where obs() begins an episode
  /// Steps every lane, and restarts the lanes whose episode ended. The reference is valid until the next call.
  /// @shape action [act x N], in [-1, 1] (values outside are cut) or an index
  /// @throws std::invalid_argument for a wrong shape or index
  /// @throws NumericsError if a reward or observation is not finite, naming seed, lane and step, and what the
  /// environment throws, unless unstable episodes are cut @alloc none
  const StepBatch& step(ConstMatrixRef action);
  /// The same, while one of the threads first does something else, which must not touch this object or the actions and
  /// may use the compute threads.
  const StepBatch& step(ConstMatrixRef action, const std::function<void()>& meanwhile);
  /// The same with actions in the environment's unit, in double precision and not cut to the range.
  const StepBatch& step_in_unit(const Eigen::Ref<const Eigen::MatrixXd>& action);
  /// From here on a step that is not finite, or in which the simulator fails, does not throw: StepBatch::unstable marks
  /// it, the episode is truncated, success 0 and reward 0, `after` is `before`, and the world is reset.
  void cut_unstable_episodes() { cut_unstable_ = true; }
  /// Why the lane's last unstable step was one: a sentence that names seed, lane and step.
  const std::string& instability(std::size_t lane) const { return instability_[lane]; }
  /// Whether an environment of the last steps was lost (EnvironmentLost); its episode was cut as an unstable one.
  bool has_lost() const;
  /// [N] Env::category of the episodes that the last step belonged to.
  const std::vector<std::size_t>& categories() const { return categories_; }
  /// [N] 1 where the last step ended an episode that is the last of its chain (Env::chain_goes_on).
  const std::vector<std::uint8_t>& chain_ended() const { return chain_ended_; }
  /// [act x N]: the actions of the last step in the environment's unit.
  const Eigen::MatrixXd& action_in_unit() const { return unit_action_; }
  /// [coordinates x N] of the worlds after the last step, before restarts (Env::get_coordinates). Takes time: only
  /// after keep_coordinates().
  const Eigen::MatrixXd& coordinates() const { return coordinates_; }
  void keep_coordinates();
  /// Moves the world of a lane (Env::set_coordinates); obs() shows it.
  void set_coordinates(int lane, std::span<const double> values);
  /// Tells f of every lane whose episode has ended, before it is restarted; from the thread that steps the lane.
  void before_restart(std::function<void(int lane, const Env&)> f) { before_restart_ = std::move(f); }
  Env& lane(int i) { return *envs_[i]; }
  void visit_state(StateVisitor& v);

 private:
  void take_action(Index i, ConstVectorRef action);  // writes step_.action and unit_action_
  void step_lane(Index lane);                        // uses unit_action_
  void cut(Index lane, const char* reason);          // ends the lane's episode before this step
  void restart(Index lane, bool anew = false);
  template <class F>
  void in_lane(Index lane, F f);  // f(environment), with its errors told with seed, lane and step

  std::vector<std::unique_ptr<Env>> envs_;
  std::vector<Rng> rngs_;
  std::vector<std::uint64_t> steps_;  // of the running episode, per lane
  std::vector<std::uint8_t> first_;
  std::vector<std::size_t> categories_;
  std::vector<std::uint8_t> chain_ended_;
  bool cut_unstable_ = false;
  std::vector<std::string> instability_;
  std::vector<std::uint8_t> lost_;
  int threads_;
  ObsBatch obs_;
  StepBatch step_;
  Eigen::MatrixXd unit_action_;  // in the environment's unit
  Eigen::MatrixXd coordinates_;  // no columns: not kept
  std::function<void(int, const Env&)> before_restart_;
};

}  // namespace goalpost
