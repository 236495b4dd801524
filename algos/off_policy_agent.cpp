#include "algos/off_policy_agent.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "core/check.h"
#include "core/timed.h"

namespace goalpost {
namespace {

class OffPolicyAgent final : public Agent {
 public:
  OffPolicyAgent(std::unique_ptr<Learner> learner, const EnvSpec& spec, const OffPolicyConfig& c, int lanes, Rng rng)
      : c_(c),
        goal_(spec.goal),
        manipulation_(spec.manipulation),
        lanes_(lanes),
        learner_(std::move(learner)),
        buffer_(spec, c.replay, lanes),
        normalizer_(learner_spec(c, spec).state_dim(), c.normalizer),
        batch_(learner_spec(c, spec), lanes > 0 ? c.batch_size : 0, learner_->gamma()),
        act_rng_(rng.stream("act")),
        sample_rng_(rng.stream("sample")),
        update_rng_(rng.stream("update")) {
    if (c_.her.strategy == HerStrategy::none) {
      sampler_ = std::make_unique<UniformSampler>(buffer_);
      return;
    }
    if (c_.relay.enabled) {
      auto relay = std::make_unique<RelaySampler>(buffer_, spec, c_.her, c_.batch_size);
      her_ = &relay->object();
      sampler_ = std::move(relay);
    } else {
      auto her = std::make_unique<HerSampler>(buffer_, spec.goal, c_.her);
      her_ = her.get();
      sampler_ = std::move(her);
    }
    if (normalizer_.enabled() && lanes > 0) replayed_ = Matrix::Zero(batch_.s.rows(), kReplayedColumns);
  }

  void act(const ObsBatch& obs, const std::vector<std::uint8_t>&, Mode mode, MatrixRef action) override {
    Matrix& state = mode == Mode::explore ? state_ : exploit_state_;
    join(obs, state);
    if (c_.relay.enabled && mode == Mode::explore) guide(obs, state);
    if (normalizer_.enabled()) normalizer_.apply(state);
    learner_->act(state, mode, act_rng_, action);
  }

  void observe(const StepBatch& step) override {
    buffer_.add(step);
    if (!normalizer_.enabled()) return;
    if (her_ != nullptr) {
      for (int i = 0; i < std::ssize(step.terminated); ++i)
        if (step.ended(i) && !step.is_unstable(i)) take_statistics_of_last_episode(i);
      return;
    }
    join(step.before, state_);
    normalizer_.observe(state_);
  }

  void add_offline_transition(const StepBatch& step, int lane) override {
    buffer_.add(step, 0, lane);
    if (her_ != nullptr && step.ended(0)) check_last_episode(lane);
    if (!normalizer_.enabled()) return;
    if (her_ != nullptr) {
      if (step.ended(0)) take_statistics_of_last_episode(lane);
      return;
    }
    join(step.before, exploit_state_);
    normalizer_.observe(exploit_state_);
  }

  void become_worker(Rng rng) override {
    act_rng_ = rng.stream("act");
    sample_rng_ = rng.stream("sample");
    update_rng_ = rng.stream("update");
    has_workers_ = true;
    normalizer_.collect_for_workers();
  }

  bool ready() const override { return sampler_->ready(1); }

  bool remembers(std::int64_t transitions) const override {
    return buffer_.size() >= std::min<Index>(transitions, buffer_.capacity());
  }

  void update(Metrics& metrics) override {
    timed(sample_seconds_, [&] { sampler_->sample(sample_rng_, batch_); });
    if (normalizer_.enabled()) {
      if (has_workers_) normalizer_.share_between_workers();
      normalizer_.apply(batch_.s);
      normalizer_.apply(batch_.s2);
    }
    if (her_ != nullptr) {
      metrics.add("train/her_reached", her_->share_reached());
      metrics.add("train/her_moved", share_moved());
    }
    learner_->update(batch_, update_rng_, metrics);
    updated_ = true;
  }

  double sample_seconds() const override { return sample_seconds_; }

  std::vector<HistogramSample> histogram_samples() override {
    if (!updated_) return {};
    return {{"train/q_values", learner_->action_values(batch_)}};
  }

  void visit_policy(StateVisitor& v) override {
    learner_->visit_policy(v);
    if (normalizer_.enabled()) visit_part(v, "normalizer", normalizer_);
  }

  void visit_state(StateVisitor& v) override {
    visit_state_without_replay(v);
    visit_part(v, "replay", buffer_);
  }

  void visit_state_without_replay(StateVisitor& v) override {
    visit_part(v, "learner", *learner_);
    visit_part(v, "normalizer", normalizer_);
    visit_part(v, "act_rng", act_rng_);
    visit_part(v, "sample_rng", sample_rng_);
    visit_part(v, "update_rng", update_rng_);
    if (!has_workers_) return;
    const StateVisitor::Scope scope(v, "collected");
    normalizer_.visit_collected(v);
  }

 private:
  // HER would silently never replay an episode that does not fit.
  void check_last_episode(int lane) const {
    const auto [begin, end] = buffer_.last_finished(lane);
    if (begin == end)
      throw std::runtime_error(detail::concatenate(
          "an episode is longer than its environment's share of the replay buffer, ", buffer_.lane_capacity(),
          " transitions, and HER replays whole episodes only; expected a "
          "larger buffer_size, or fewer environments"));
  }

  // Of the last finished episodes of all lanes, the share at whose end the goal achieved after the first step had been
  // left: only goals of such an episode differ by more than the radius.
  double share_moved() const {
    int episodes = 0, moved = 0;
    for (int lane = 0; lane < lanes_; ++lane) {
      const auto [begin, end] = buffer_.last_finished(lane);
      if (begin == end) continue;
      ++episodes;
      moved += goal_.reached(buffer_.achieved_after({lane, begin}), buffer_.achieved_after({lane, end - 1})) ? 0 : 1;
    }
    return episodes == 0 ? 0 : static_cast<double>(moved) / episodes;
  }

  // A random stream that follows from saved state: nothing more to save, and sampling for updates is not affected.
  void take_statistics_of_last_episode(int lane) {
    Rng rng = sample_rng_.stream("statistics", std::bit_cast<std::uint64_t>(normalizer_.count()));
    const auto [begin, end] = buffer_.last_finished(lane);
    for (Index t = begin; t < end;) {
      const Index n = std::min(kReplayedColumns, end - t);
      for (Index j = 0; j < n; ++j, ++t) {
        const ConstVectorMap obs = buffer_.obs({lane, t}), goal = her_->draw_goal_of({lane, t}, rng);
        replayed_.col(j).head(obs.size()) = obs;
        replayed_.col(j).tail(goal.size()) = goal;
        if (c_.relay.enabled)
          replayed_.col(j).segment(obs.size(), goal.size()) = obs.segment(manipulation_.object_at, goal.size());
      }
      normalizer_.observe(replayed_.leftCols(n));
    }
  }

  // [obs; desired goal]: input of the networks; of the relay [obs; 0; desired goal]
  void join(const ObsBatch& obs, Matrix& state) const {
    const Index goal = obs.desired.rows();  // resize allocates if the number of lanes changes
    state.resize(obs.obs.rows() + (c_.relay.enabled ? 2 * goal : goal), obs.obs.cols());
    state.topRows(obs.obs.rows()) = obs.obs;
    if (c_.relay.enabled) state.middleRows(obs.obs.rows(), goal).setZero();
    state.bottomRows(goal) = obs.desired;
  }

  // The relay's exploration: far from the object, with some probability, the goal is to reach it.
  void guide(const ObsBatch& obs, Matrix& state) {
    for (Index j = 0; j < state.cols(); ++j) {
      const auto o = obs.obs.col(j);
      const Index goal = obs.desired.rows();
      const auto object = o.segment(manipulation_.object_at, goal);
      const bool near = (o.segment(manipulation_.effector_at, goal) - object).norm() <= Scalar(c_.relay.near);
      if (act_rng_.uniform() < Scalar(c_.relay.guidance) && !near)
        write_relay_state(Subtask::reach, o, object, state.col(j));
    }
  }

  OffPolicyConfig c_;
  GoalSpace goal_;
  Manipulation manipulation_;  // used by the relay alone
  int lanes_;
  std::unique_ptr<Learner> learner_;
  ReplayBuffer buffer_;
  std::unique_ptr<Sampler> sampler_;
  const HerSampler* her_ = nullptr;  // sampler_, if it relabels
  Normalizer normalizer_;
  Batch batch_;
  Matrix state_, exploit_state_;  // two: training and evaluation may have different numbers of lanes
  static constexpr Index kReplayedColumns = 256;
  Matrix replayed_;  // scratch: states of a finished episode with goals of HER
  Rng act_rng_, sample_rng_, update_rng_;
  bool has_workers_ = false;
  bool updated_ = false;  // whether batch_ holds the batch of an update
  double sample_seconds_ = 0;
};

}  // namespace

EnvSpec learner_spec(const OffPolicyConfig& config, const EnvSpec& spec) {
  return config.relay.enabled ? with_position_to_reach(spec) : spec;
}

std::string off_policy_problem(const OffPolicyConfig& c, const EnvSpec& spec) {
  if (!c.relay.enabled) return "";
  if (!spec.manipulation.known())
    return detail::concatenate("agent.relay.enabled = true learns to reach an object, but ", spec.name,
                               " has none; expected false");
  if (c.her.strategy == HerStrategy::none)
    return "agent.relay.enabled = true relabels goals, but agent.her.strategy is \"none\"; expected a strategy";
  if (c.batch_size < 2)
    return "agent.relay.enabled = true with agent.batch_size = 1; expected a transition of each sub-task, 2 or more";
  return "";
}

std::unique_ptr<Agent> make_off_policy_agent(std::unique_ptr<Learner> learner, const EnvSpec& spec,
                                             const OffPolicyConfig& config, int lanes, Rng rng) {
  GP_CHECK(config.batch_size > 0, "agent.batch_size = ", config.batch_size, "; expected a positive number");
  return std::make_unique<OffPolicyAgent>(std::move(learner), spec, config, lanes, rng);
}

void check_off_policy_training(const OffPolicyConfig& c, const TrainingPlan& plan, bool clip_targets, double gamma,
                               TrainingCheck& check) {
  const EnvSpec& spec = plan.spec;
  const int lanes = plan.lanes;
  // Room for a running episode of max_steps - 1 after a finished one: then one finished episode is always stored whole.
  const std::int64_t share = c.replay.buffer_size / lanes, two = 2 * std::int64_t(spec.max_steps);
  if (c.her.strategy != HerStrategy::none && share < two)
    check.problems.push_back(detail::concatenate("agent.replay.buffer_size = ", c.replay.buffer_size, " over ", lanes,
                                                 " parallel environments is ", share,
                                                 " transitions each, less than two episodes of ", spec.max_steps,
                                                 " steps: HER replays finished episodes, and the running one would "
                                                 "overwrite the only finished one; expected at least ",
                                                 two * lanes));
  if (c.her.strategy != HerStrategy::none && spec.goal.dim > 0 && spec.goal.reward == nullptr)
    check.problems.push_back(detail::concatenate("agent.her.strategy relabels goals, but the reward of ", spec.name,
                                                 " cannot be computed for another goal; expected \"none\""));
  if (!clip_targets) return;
  const auto cut = [&](const auto&... why) {
    check.problems.push_back(detail::concatenate("clip_targets = true clips targets to [-1/(1 - gamma), 0] = [",
                                                 -1 / (1 - gamma), ", 0], the returns of rewards from -1 to 0, but ",
                                                 why..., "; expected false"));
  };
  if (spec.goal.dim == 0) return cut(spec.name, " has no goals and other rewards");
  if (spec.goal.reward == nullptr) return;
  if (spec.goal.minus_before)
    return cut(spec.name, " gives the progress of a step as its reward, which may be positive");
  const Vector goal = Vector::Zero(spec.goal.dim);
  if (const Scalar at_goal = spec.goal.reward(goal, goal, spec.goal.radius); at_goal > 0)
    cut(spec.name, " gives reward ", at_goal, " at the goal");
  else if (plan.start_reward < -1)
    cut(spec.name, " gives reward ", plan.start_reward, " where an episode starts");
}

void add_off_policy_memory(const OffPolicyConfig& c, const EnvSpec& spec, MemoryNeed& need) {
  need.add("replay buffer", ReplayBuffer(spec, {}, 0).transition_bytes(),
           static_cast<std::uint64_t>(c.replay.buffer_size));
  need.add("batches", Batch::bytes(learner_spec(c, spec)) + (c.relay.enabled ? Batch::bytes(spec) : 0),
           static_cast<std::uint64_t>(c.batch_size));
}

}  // namespace goalpost
