// VectorEnv against a model that steps one environment at a time and keeps its own count.
#include "envs/vector_env.h"

#include <algorithm>

#include "property/generators.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

// How an episode goes: its own end (after `length` steps, 0: none), and how that ends.
struct Plan {
  int length = 0;
  bool failed = false;
};

// What all environments of a case share.
struct Plans {
  int max_steps = 1;
  bool discrete = false;
  std::vector<std::vector<Plan>> episodes;  // by environment, in turn
  const Plan& of(int env, std::uint64_t episode) const {
    const auto& list = episodes[static_cast<std::size_t>(env)];
    return list[episode % list.size()];
  }
};

// Shows which environment it is, the number of its episode, the steps in it and the last action: what it was really
// told. Odd episodes are of the second kind.
class Planned final : public Env {
 public:
  Planned(const Plans& plans, int env) : plans_(plans), env_(env) {
    spec_.name = "Planned";
    spec_.obs_dim = 4;
    if (plans.discrete)
      spec_.action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = 7, .low = {}, .high = {}};
    else
      spec_.action = {.dim = 1, .choices = 0, .low = Vector::Constant(1, -2), .high = Vector::Constant(1, 6)};
    spec_.goal = {.dim = 1, .radius = 1, .ends_at_goal = true, .reward = nullptr};
    spec_.max_steps = plans.max_steps;
  }
  const EnvSpec& spec() const override { return spec_; }
  void reset(Rng& rng) override { begin(rng, false); }
  void reset_world(Rng& rng) override { begin(rng, true); }
  StepResult step(ActionRef action) override {
    ++steps_;
    action_ = action(0);
    const Plan& plan = plans_.of(env_, episode_);
    const bool over = steps_ == static_cast<std::uint64_t>(plan.length);
    return {.reward = Scalar(steps_) / 4,
            .terminated = over,
            .success = over && !plan.failed,
            .failed = over && plan.failed};
  }
  void observe(ObsOut out) const override {
    out.obs << Scalar(env_), Scalar(episode_), Scalar(steps_), Scalar(action_);
    out.achieved(0) = Scalar(steps_);
    out.desired(0) = anew_ ? Scalar(-2) : Scalar(-1);  // how the episode was begun
  }
  std::size_t category() const override { return episode_ % 2; }
  void visit_state(StateVisitor& v) override {
    v.visit("episode", episode_);
    v.visit("steps", steps_);
    v.visit("anew", anew_);
    v.visit("action", std::span(&action_, 1));
  }
  std::uint64_t episode() const { return episode_; }

 private:
  void begin(Rng& rng, bool anew) {
    rng.bits();
    ++episode_;
    steps_ = 0;
    action_ = 0;
    anew_ = anew;
  }
  const Plans& plans_;
  int env_;
  EnvSpec spec_;
  std::uint64_t episode_ = ~std::uint64_t(0), steps_ = 0, anew_ = 0;  // the first reset makes the episode 0
  double action_ = 0;
};

// One environment, as its reader would count.
struct Model {
  std::uint64_t episode = 0;
  int steps = 0;
  double action = 0;
  bool anew = true;

  std::array<double, 6> seen(int env) const {
    return {double(env), double(episode), double(steps), action, double(steps), anew ? -2.0 : -1.0};
  }
  void begin(bool by_reset) { *this = {episode + 1, 0, 0, by_reset}; }
};

std::array<double, 6> column(const ObsBatch& o, Index i) {
  return {double(o.obs(0, i)), double(o.obs(1, i)),      double(o.obs(2, i)),
          double(o.obs(3, i)), double(o.achieved(0, i)), double(o.desired(0, i))};
}

RC_GTEST_PROP(VectorEnvProperty, CountsStepsEndsAndRestartsAsAModelDoes, ()) {
  Plans plans;
  plans.max_steps = *whole(1, 7).as("time limit");
  plans.discrete = *rc::gen::arbitrary<bool>().as("discrete");
  const int envs = *whole(1, 5).as("environments");
  for (int i = 0; i < envs; ++i) {
    std::vector<Plan>& list = plans.episodes.emplace_back();
    for (int e = *whole(1, 4); e > 0; --e)
      list.push_back({*whole(0, plans.max_steps + 2), *rc::gen::arbitrary<bool>()});
  }
  Rng rng = any_rng();
  const int threads = *rc::gen::element(1, 1, 1, 2).as("threads");
  std::vector<std::vector<std::uint64_t>> told(static_cast<std::size_t>(envs));  // by before_restart
  const auto make = [&] {
    int next = 0;
    auto env = std::make_unique<VectorEnv>(
        [&plans, next]() mutable { return std::make_unique<Planned>(plans, next++); }, envs, Rng(3), threads);
    env->before_restart([&](int i, const Env& ended) {
      told[static_cast<std::size_t>(i)].push_back(dynamic_cast<const Planned&>(ended).episode());
    });
    return env;
  };
  std::unique_ptr<VectorEnv> env = make();
  std::vector<Model> model(static_cast<std::size_t>(envs));
  std::vector<std::vector<std::uint64_t>> ended(static_cast<std::size_t>(envs));

  const int steps = *whole(1, 40).as("steps");
  for (int n = 0; n < steps; ++n) {
    if (rng.below(12) == 0) {
      env->reset();
      for (Model& m : model) m.begin(true);
    }
    if (rng.below(8) == 0) {  // saved, and loaded into a new one
      const Snapshot state = snapshot(*env);
      env = make();
      restore(*env, state);
    }
    for (int i = 0; i < envs; ++i) {
      const Model& m = model[static_cast<std::size_t>(i)];
      RC_ASSERT(column(env->obs(), i) == m.seen(i));
      RC_ASSERT(bool(env->first()[static_cast<std::size_t>(i)]) == (m.steps == 0));
    }

    Matrix action(1, envs);
    Eigen::MatrixXd unit(1, envs);  // what the environments are to be told
    for (int i = 0; i < envs; ++i) {
      action(0, i) = plans.discrete ? Scalar(rng.below(7)) : Scalar(rng.below(33)) / 8 - 2;  // -2 ... 2, cut to ±1
      unit(0, i) = plans.discrete ? double(action(0, i)) : 2 + 4 * std::clamp(double(action(0, i)), -1.0, 1.0);
    }
    bool meanwhile = false;
    const std::uint32_t way = rng.below(3);
    const StepBatch& step = way == 0   ? env->step(action)
                            : way == 1 ? env->step(action, [&] { meanwhile = true; })
                                       : env->step_in_unit(unit);
    RC_ASSERT(meanwhile == (way == 1));
    RC_ASSERT(env->action_in_unit() == unit);
    for (int i = 0; i < envs; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      Model& m = model[at];
      RC_ASSERT(column(step.before, i) == m.seen(i));
      m.action = unit(0, i);
      ++m.steps;
      const Plan& plan = plans.of(i, m.episode);
      const bool over = m.steps == plan.length;
      RC_ASSERT(column(step.after, i) == m.seen(i));
      RC_ASSERT(step.action(0, i) == (plans.discrete ? action(0, i) : std::clamp(action(0, i), Scalar(-1), Scalar(1))));
      RC_ASSERT(step.reward(0, i) == Scalar(m.steps) / 4);
      RC_ASSERT(bool(step.terminated[at]) == over);
      RC_ASSERT(bool(step.truncated[at]) == (!over && m.steps == plans.max_steps));
      RC_ASSERT(bool(step.success[at]) == (over && !plan.failed));
      RC_ASSERT(bool(step.failed[at]) == (over && plan.failed));
      RC_ASSERT(step.ended(at) == (over || m.steps == plans.max_steps));
      RC_ASSERT(env->categories()[at] == m.episode % 2);
      if (!step.ended(at)) continue;
      ended[at].push_back(m.episode);
      m.begin(false);
    }
    RC_ASSERT(told == ended);
  }
}

}  // namespace
}  // namespace goalpost::test
