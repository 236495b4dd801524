// HIRO: acting, storing and updating. What the levels learn from is in batches.cpp, what is saved in state.cpp.
#include "algos/hiro/hiro.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/check.h"
#include "core/schedule.h"
#include "core/timed.h"

namespace goalpost {
namespace {

const EnvSpec& checked(const EnvSpec& spec, const HiroConfig& c, int lanes) {
  const std::string problem = hiro_problem(c, spec, lanes);
  GP_CHECK(problem.empty(), problem);
  return spec;
}

// For an agent that only acts: batches take no memory.
HiroConfig without_batches(HiroConfig c) {
  c.low.batch_size = c.high.batch_size = 0;
  return c;
}

}  // namespace

Hiro::Hiro(const EnvSpec& spec, const HiroConfig& config, int lanes, Rng rng)
    : c_(lanes > 0 ? config : without_batches(config)),
      obs_dim_(checked(spec, config, lanes).obs_dim),
      subgoal_dim_(std::ssize(config.subgoal.dims)),
      space_(config.subgoal, config.intrinsic),
      low_(c_.low, low_spec(spec, config), rng.stream("low")),
      high_(c_.high, high_spec(spec, config), rng.stream("high")),
      transitions_(low_.spec, {.buffer_size = config.low.buffer_size}, lanes),
      sampler_(transitions_),
      segments_(segment_shape(spec, config), config.high.buffer_size, lanes),
      correction_(spec, c_),
      low_policy_([this](MatrixRef sg, MatrixRef a) {
        to_low_input(sg);
        low_.learner->act(sg, Mode::exploit, sample_rng_, a);
      }),
      training_(high_.spec, low_.spec, lanes),
      exploiting_(high_.spec, low_.spec, 0),
      unfinished_(lanes),
      act_rng_(rng.stream("act")),
      sample_rng_(rng.stream("sample")),
      update_rng_(rng.stream("update")),
      left_(subgoal_dim_) {
  const Matrix state = Matrix::Zero(low_.spec.obs_dim, lanes), no_goal = Matrix::Zero(0, lanes);
  const std::vector<std::uint8_t> no(lanes);
  low_step_ = {.before = {state, no_goal, no_goal},
               .action = Matrix::Zero(spec.action.dim, lanes),
               .reward = Matrix::Zero(1, lanes),
               .terminated = no,
               .truncated = no,
               .success = no,
               .failed = no,
               .after = {state, no_goal, no_goal}};
  const Index batch = c_.high.batch_size;
  drawn_.resize(batch);
  given_ = Matrix::Zero(subgoal_dim_, batch);
}

// ---- acting ---------------------------------------------------------------------------------------------------------

bool Hiro::pretraining() const {
  return episodes_begun_ < c_.pretraining.episodes ||
         std::any_of(training_.pretraining.begin(), training_.pretraining.end(), [](auto p) { return p != 0; });
}

void Hiro::act(const ObsBatch& obs, const std::vector<std::uint8_t>& first, Mode mode, MatrixRef action) {
  const Index n = obs.obs.cols();
  if (mode == Mode::exploit && exploiting_.size() != n) exploiting_ = HiroLanes(high_.spec, low_.spec, n);
  HiroLanes& lanes = mode == Mode::explore ? training_ : exploiting_;
  for (Index lane = 0; lane < std::ssize(first); ++lane)
    if (first[lane]) lanes.k[lane] = 0;
  begin_step(obs, mode, lanes);
  lanes.low_in.topRows(obs_dim_) = obs.obs;
  lanes.low_in.bottomRows(subgoal_dim_) = lanes.subgoal;
  to_low_input(lanes.low_in);
  low_.act(lanes.low_in, low_.learns(pretraining()) ? mode : Mode::exploit, act_rng_, action);
  if (mode == Mode::explore) acted_ = true;
}

// g_t ~ μ_hi(s_t) if t ≡ 0 (mod c), else g_t = h(s_{t−1}, g_{t−1}, s_t)                                section 3.1
void Hiro::begin_step(const ObsBatch& obs, Mode mode, HiroLanes& lanes) {
  lanes.due.clear();
  for (Index lane = 0; lane < lanes.size(); ++lane) {
    space_.change_left(lanes.point.col(lane), obs.obs.col(lane), lanes.subgoal.col(lane));
    const bool over = lanes.k[lane] == static_cast<std::uint64_t>(c_.c) ||
                      (c_.intrinsic.at_subgoal == AtSubgoal::end_segment && space_.reached(lanes.subgoal.col(lane)));
    const bool begins = lanes.k[lane] == 0;
    if (begins && mode == Mode::explore) lanes.pretraining[lane] = episodes_begun_++ < c_.pretraining.episodes;
    if (begins || over) lanes.due.push_back(lane);
  }
  if (!lanes.due.empty()) decide(obs, mode, lanes);
  for (std::uint64_t& k : lanes.k) ++k;
}

void Hiro::decide(const ObsBatch& obs, Mode mode, HiroLanes& lanes) {
  const Index n = std::ssize(lanes.due);
  for (Index j = 0; j < n; ++j) {
    const Index lane = lanes.due[j];
    lanes.high_in.col(j).head(obs_dim_) = obs.obs.col(lane);
    lanes.high_in.col(j).tail(obs.desired.rows()) = obs.desired.col(lane);
    if (mode == Mode::explore && c_.exploration_goals.episodes > 0) explore_goal(lane, j);
  }
  high_.act(lanes.high_in.leftCols(n), high_.learns(false) ? mode : Mode::exploit, act_rng_,
            lanes.high_out.leftCols(n));
  for (Index j = 0; j < n; ++j) {
    const Index lane = lanes.due[j];
    const bool begins = lanes.k[lane] == 0;
    lanes.k[lane] = 0;
    lanes.subgoal.col(lane) = lanes.high_out.col(j).cwiseProduct(space_.limits());
    if (c_.first_subgoal_zero && begins) lanes.subgoal.col(lane).setZero();
    if (lanes.pretraining[lane]) space_.draw_random(c_.pretraining, act_rng_, lanes.subgoal.col(lane));
    for (Index d = 0; d < subgoal_dim_; ++d)
      lanes.point(d, lane) = obs.obs(space_.dim(d), lane) + lanes.subgoal(d, lane);
    if (mode == Mode::exploit) continue;
    if (begins) segments_.begin_episode(lane);
    segments_.begin_segment(lane, obs.obs.col(lane), obs.desired.col(lane), lanes.subgoal.col(lane));
    if (c_.substitutes_goals()) segments_.open(lane).achieved().col(0) = obs.achieved.col(lane);
    if (!unfinished_[lane]) continue;  // next_subgoal = decision: the last step can now be stored
    low_step_.after.obs.col(lane).tail(subgoal_dim_) = lanes.subgoal.col(lane);
    transitions_.add(low_step_, lane, lane);
    unfinished_[lane] = 0;
  }
}

// In some episodes the high level is asked for the way to other goals than the task's.
void Hiro::explore_goal(Index lane, Index j) {
  std::uint64_t& left = training_.explores[lane];
  const bool begins = training_.k[lane] == 0;
  if (begins) left = segments_.size() > 0 && act_rng_.uniform() < Scalar(c_.exploration_goals.episodes) ? 1 : 0;
  if (left == 0) return;
  if (--left == 0) {
    training_.explored.col(lane) = segments_.at(segments_.draw(act_rng_)).desired();
    left = static_cast<std::uint64_t>(c_.exploration_goals.decisions);
  }
  training_.high_in.col(j).tail(training_.explored.rows()) = training_.explored.col(lane);
}

// [s; g] as the low level's networks see it
void Hiro::to_low_input(MatrixRef sg) const {
  if (c_.subgoal_input == SubgoalInput::point)
    for (Index d = 0; d < subgoal_dim_; ++d) sg.row(obs_dim_ + d) += sg.row(space_.dim(d));
  for (const int dim : c_.hidden_from_low) sg.row(dim).setZero();
}

void Hiro::subgoal(Mode mode, Index lane, VectorRef obs) const {
  obs.setConstant(std::numeric_limits<Scalar>::quiet_NaN());
  for (Index i = 0; i < subgoal_dim_; ++i) obs(space_.dim(i)) = points(mode)(i, lane);
}

// ---- storing --------------------------------------------------------------------------------------------------------

void Hiro::observe(const StepBatch& step) {
  // Actions that the agent did not choose, e.g. the random ones at the start, have sub-goals too.
  if (!acted_) begin_step(step.before, Mode::explore, training_);
  acted_ = false;
  for (Index lane = 0; lane < training_.size(); ++lane) {
    if (step.is_unstable(lane)) {  // the open segment is dropped; the next decision clears it
      transitions_.add(step, lane, lane);
      training_.k[lane] = 0;
      unfinished_[lane] = 0;
      continue;
    }
    const Index k = training_.k[lane];
    const auto s = step.before.obs.col(lane), s2 = step.after.obs.col(lane);
    const auto g = training_.subgoal.col(lane);
    const bool ended = step.ended(lane);
    space_.change_left(training_.point.col(lane), s2, left_);  // h(s, g, s')

    // (s_t‖g_t, a_t, r_lo, s_{t+1}‖h(s_t, g_t, s_{t+1}))                                             section 3.1
    low_step_.before.obs.col(lane) << s, g;
    low_step_.after.obs.col(lane) << s2, left_;
    low_step_.action.col(lane) = step.action.col(lane);
    low_step_.terminated[lane] = step.terminated[lane] && c_.task_end_ends_low;
    low_step_.truncated[lane] = ended && !low_step_.terminated[lane];
    segments_.open(lane).add_step(k, step.action.col(lane), s2, step.reward(0, lane));
    if (c_.substitutes_goals()) segments_.open(lane).achieved().col(k) = step.after.achieved.col(lane);
    collected_.add("lo/reward", space_.intrinsic_reward(left_));

    const bool there = space_.reached(left_);
    const bool over = ended || k == c_.c || (there && c_.intrinsic.at_subgoal == AtSubgoal::end_segment);
    if (over) {
      if (c_.intrinsic.reached > 0) collected_.add("lo/suc_ratio", there);
      collected_.add("lo/distance", left_.norm());
      end_segment(step, lane);
    }
    unfinished_[lane] = over && !ended && c_.next_subgoal == NextSubgoal::decision;
    if (!unfinished_[lane]) transitions_.add(low_step_, lane, lane);
    if (ended) training_.k[lane] = 0;
  }
  observed_ += step.reward.cols();
}

// (s_t, g_t, Σ R_{t:t+c−1}, s_{t+c}), with the low level's states and actions                            section 3.3
void Hiro::end_segment(const StepBatch& step, Index lane) {
  if (training_.pretraining[lane]) return;
  const Segment segment = segments_.open(lane);
  segment.desired_after() = step.after.desired.col(lane);
  segment.terminated() = step.terminated[lane] == 0 ? 0 : step.failed[lane] != 0 ? kFailed : Scalar(1);
  collected_.add("hi/reward", high_.c.reward_scale * segment.reward());
  const bool cut = step.ended(lane) && segment.length() < c_.c;
  if (!cut || c_.short_segments == ShortSegments::keep) segments_.add(lane);
}

// ---- learning -------------------------------------------------------------------------------------------------------

bool Hiro::ready() const {
  return transitions_.size() > 0 && observed_ >= c_.learning_starts && remembers(c_.learning_starts);
}

// In each lane one transition may wait for the next decision before it is stored.
bool Hiro::remembers(std::int64_t transitions) const {
  return transitions_.size() + training_.size() >= std::min<Index>(transitions, transitions_.capacity());
}

void Hiro::update(Metrics& metrics) {
  for (const Metrics::Slot& m : collected_) metrics.add(m.name(), m.mean());
  collected_.clear();
  if (low_.learns(pretraining()))
    for (low_.due = add_due(low_.due, low_.c.updates); low_.due >= 1; --low_.due) {
      timed(sample_seconds_, [&] { sample_low(); });
      low_.learn("lo/", update_rng_, metrics);
    }
  if (high_.learns(false) && segments_.size() > 0)
    for (high_.due = add_due(high_.due, high_.c.updates); high_.due >= 1; --high_.due) {
      timed(sample_seconds_, [&] { sample_high(); });
      high_.learn("hi/", update_rng_, metrics);
      if (c_.correction.kind != Correction::candidates) continue;
      metrics.add("hi/kept_subgoals", correction_.kept());
      metrics.add("hi/rolled_steps", correction_.rolled());
    }
}

}  // namespace goalpost
