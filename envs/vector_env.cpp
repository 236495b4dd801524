#include "envs/vector_env.h"

#include <stdexcept>
#include <string>

#include "core/check.h"
#include "core/parallel.h"
#include "core/thread_pool.h"

namespace goalpost {
namespace {

ObsBatch make_obs(const EnvSpec& spec, int lanes) {
  return {Matrix::Zero(spec.obs_dim, lanes), Matrix::Zero(spec.goal.dim, lanes), Matrix::Zero(spec.goal.dim, lanes)};
}

ObsOut column(ObsBatch& batch, Index i) { return {batch.obs.col(i), batch.achieved.col(i), batch.desired.col(i)}; }

void copy_column(const ObsBatch& from, ObsBatch& to, Index i) {
  to.obs.col(i) = from.obs.col(i);
  to.achieved.col(i) = from.achieved.col(i);
  to.desired.col(i) = from.desired.col(i);
}

}  // namespace

VectorEnv::VectorEnv(const EnvFactory& make, int lanes, Rng rng, int threads) : threads_(threads) {
  GP_CHECK(lanes > 0, "VectorEnv: lanes = ", lanes, "; expected a positive number");
  GP_CHECK(threads > 0, "VectorEnv: threads = ", threads, "; expected a positive number");
  for (int i = 0; i < lanes; ++i) envs_.push_back(make());
  const EnvSpec& s = spec();
  GP_CHECK(s.max_steps > 0, s.name, ": max_steps = ", s.max_steps, "; expected a positive number");
  const std::size_t n = envs_.size();
  steps_.assign(n, 0);
  first_.assign(n, 1);
  categories_.assign(n, 0);
  chain_ended_.assign(n, 0);
  instability_.resize(n);
  lost_.resize(n);
  obs_ = make_obs(s, lanes);
  step_ = {.before = make_obs(s, lanes),
           .action = Matrix::Zero(s.action.dim, lanes),
           .reward = Matrix::Zero(1, lanes),
           .terminated = std::vector<std::uint8_t>(n),
           .truncated = std::vector<std::uint8_t>(n),
           .success = std::vector<std::uint8_t>(n),
           .failed = std::vector<std::uint8_t>(n),
           .after = make_obs(s, lanes),
           .unstable = std::vector<std::uint8_t>(n)};
  unit_action_ = Eigen::MatrixXd::Zero(s.action.dim, lanes);
  reset(rng);
}

void VectorEnv::reset(Rng rng) {
  rngs_.clear();
  for (std::size_t i = 0; i < envs_.size(); ++i) rngs_.push_back(rng.stream("env", i));
  reset();
}

void VectorEnv::reset() {
  parallel_for(lanes(), threads_, [&](int i) { restart(i, true); });
}

template <class F>
void VectorEnv::in_lane(Index lane, F f) {
  const auto told = [&](const char* what) {
    return detail::concatenate(what, " (seed ", rngs_[lane].seed(), ", env ", lane, ", step ", steps_[lane],
                               " of its episode)");
  };
  try {
    f(*envs_[lane]);
  } catch (const NumericsError& e) {
    throw NumericsError(told(e.what()));
  } catch (const EnvironmentLost& e) {
    throw EnvironmentLost(told(e.what()));
  } catch (const std::runtime_error& e) {
    throw std::runtime_error(told(e.what()));
  }
}

void VectorEnv::restart(Index lane, bool anew) {
  steps_[lane] = 0;
  first_[lane] = 1;
  in_lane(lane, [&](Env& env) {
    if (anew)
      env.reset_world(rngs_[lane]);
    else
      env.reset(rngs_[lane]);
    env.observe(column(obs_, lane));
  });
}

const StepBatch& VectorEnv::step(ConstMatrixRef action) {
  GP_CHECK_SHAPE("VectorEnv::step", action, spec().action.dim, lanes());
  parallel_for(lanes(), threads_, [&](int i) {
    take_action(i, action.col(i));
    step_lane(i);
  });
  return step_;
}

const StepBatch& VectorEnv::step(ConstMatrixRef action, const std::function<void()>& meanwhile) {
  GP_CHECK_SHAPE("VectorEnv::step", action, spec().action.dim, lanes());
  parallel_for_uneven(1 + lanes(), threads_, [&](int i) {
    if (i == 0) {
      const UseComputeThreads use;
      return meanwhile();
    }
    take_action(i - 1, action.col(i - 1));
    step_lane(i - 1);
  });
  return step_;
}

const StepBatch& VectorEnv::step_in_unit(const Eigen::Ref<const Eigen::MatrixXd>& action) {
  const ActionSpace& space = spec().action;
  GP_CHECK_SHAPE("VectorEnv::step_in_unit", action, space.dim, lanes());
  parallel_for(lanes(), threads_, [&](int i) {
    Vector unscaled = action.col(i).cast<Scalar>();
    if (space.kind == ActionSpace::Kind::continuous)
      unscaled = (2 * (unscaled - space.low).array() / (space.high - space.low).array() - 1).matrix();
    take_action(i, unscaled);
    unit_action_.col(i) = action.col(i);
    step_lane(i);
  });
  return step_;
}

// [-1, 1] -> [low, high]
void VectorEnv::take_action(Index i, ConstVectorRef action) {
  const ActionSpace& space = spec().action;
  if (space.kind == ActionSpace::Kind::discrete) {
    const Scalar a = action(0);
    GP_CHECK(a >= 0 && a < Scalar(space.choices) && a == Scalar(static_cast<int>(a)), "VectorEnv::step: action of env ",
             i, " is ", a, "; expected an integer in [0, ", space.choices - 1, "]");
    step_.action.col(i) = action;
    unit_action_.col(i) = action.cast<double>();
    return;
  }
  GP_CHECK(action.allFinite(), "VectorEnv::step: the action of env ", i, " is not finite");
  step_.action.col(i) = action.cwiseMax(Scalar(-1)).cwiseMin(Scalar(1));
  unit_action_.col(i) = space.low.cast<double>().array() + (step_.action.col(i).cast<double>().array() + 1) * 0.5 *
                                                               (space.high - space.low).cast<double>().array();
}

void VectorEnv::step_lane(Index lane) {
  copy_column(obs_, step_.before, lane);
  ++steps_[lane];
  step_.unstable[lane] = 0;
  const auto step = [&](Env& env) {
    const EnvSpec& s = env.spec();
    categories_[lane] = env.category();
    const StepResult result = env.step(unit_action_.col(lane));
    env.observe(column(step_.after, lane));
    if (!std::isfinite(result.reward) || !step_.after.obs.col(lane).allFinite() ||
        !step_.after.achieved.col(lane).allFinite())
      throw NumericsError(detail::concatenate(s.name, ": the ", std::isfinite(result.reward) ? "observation" : "reward",
                                              " is not finite"));
    step_.reward(0, lane) = result.reward;
    step_.terminated[lane] = result.terminated;
    const bool limit = steps_[lane] >= static_cast<std::uint64_t>(s.max_steps);
    step_.truncated[lane] = !result.terminated && (limit || env.truncates());
    step_.success[lane] = result.success;
    step_.failed[lane] = result.failed;
    chain_ended_[lane] = step_.ended(lane) && !env.chain_goes_on();
    if (coordinates_.cols() > 0) env.get_coordinates(std::span(coordinates_.col(lane).data(), coordinates_.rows()));
  };
  try {
    in_lane(lane, step);
  } catch (const std::runtime_error& e) {
    if (!cut_unstable_) throw;
    if (dynamic_cast<const EnvironmentLost*>(&e) != nullptr) lost_[lane] = 1;
    cut(lane, e.what());
  }

  if (step_.ended(lane)) {
    if (before_restart_) before_restart_(static_cast<int>(lane), *envs_[lane]);
    restart(lane, step_.is_unstable(lane));
  } else {
    copy_column(step_.after, obs_, lane);
    first_[lane] = 0;
  }
}

bool VectorEnv::has_lost() const {
  return std::any_of(lost_.begin(), lost_.end(), [](std::uint8_t lost) { return lost != 0; });
}

void VectorEnv::cut(Index lane, const char* reason) {
  instability_[lane] = reason;
  copy_column(step_.before, step_.after, lane);
  step_.reward(0, lane) = 0;
  step_.terminated[lane] = step_.success[lane] = step_.failed[lane] = 0;
  step_.truncated[lane] = step_.unstable[lane] = chain_ended_[lane] = 1;
}

void VectorEnv::keep_coordinates() {
  coordinates_.resize(static_cast<Index>(envs_.front()->coordinate_names().size()), lanes());
}

void VectorEnv::set_coordinates(int lane, std::span<const double> values) {
  const std::size_t expected = envs_.front()->coordinate_names().size();
  GP_CHECK(values.size() == expected, "VectorEnv::set_coordinates: ", values.size(), " values; expected ", expected);
  in_lane(lane, [&](Env& env) {
    env.set_coordinates(values);
    env.observe(column(obs_, lane));
  });
}

void VectorEnv::visit_state(StateVisitor& v) {
  v.visit("steps", std::span(steps_));
  for (const std::uint64_t steps : steps_)
    if (steps >= static_cast<std::uint64_t>(spec().max_steps))
      throw std::runtime_error(detail::concatenate("VectorEnv: a lane was saved after ", steps,
                                                   " steps of its episode; expected fewer than ", spec().max_steps));
  for (std::size_t i = 0; i < envs_.size(); ++i) {
    const StateVisitor::Scope scope(v, "lane" + std::to_string(i));
    envs_[i]->visit_state(v);
    const StateVisitor::Scope rng_scope(v, "rng");
    rngs_[i].visit_state(v);
  }
  for (std::size_t i = 0; i < envs_.size(); ++i) {  // derived: after a load they show the restored state
    envs_[i]->observe(column(obs_, static_cast<Index>(i)));
    first_[i] = steps_[i] == 0;
  }
}

}  // namespace goalpost
