// HIRO: acting, remembering and learning on two levels.
#include "algos/hiro/hiro.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "algos/schedule.h"
#include "core/check.h"
#include "core/timed.h"

namespace goalpost {
namespace {

const EnvSpec& checked(const EnvSpec& spec, const HiroConfig& c, int lanes) {
  const std::string problem = hiro_problem(c, spec, lanes);
  GP_CHECK(problem.empty(), problem);
  return spec;
}

// What only learning needs takes no memory.
HiroConfig without_batches(HiroConfig c) {
  c.low.batch_size = c.high.batch_size = 0;
  return c;
}

}  // namespace

Hiro::Hiro(const EnvSpec& spec, const HiroConfig& config, int lanes, Rng rng)
    : c_(lanes > 0 ? config : without_batches(config)),
      obs_dim_(checked(spec, config, lanes).obs_dim),
      subgoal_dim_(static_cast<Index>(config.subgoal.dims.size())),
      space_(config.subgoal, config.intrinsic),
      low_(c_.low, low_spec(spec, config), rng.stream("low")),
      high_(c_.high, high_spec(spec, config), rng.stream("high")),
      transitions_(low_.spec, {.capacity = config.low.capacity}, lanes),
      sampler_(transitions_),
      segments_(segment_shape(spec, config), config.high.capacity, lanes),
      correction_(spec, c_),
      low_policy_([this](MatrixRef sg, MatrixRef a) {
        to_low_input(sg);
        low_.learner->act(sg, Mode::exploit, sample_rng_, a);
      }),
      unfinished_(static_cast<std::size_t>(lanes)),
      act_rng_(rng.stream("act")),
      sample_rng_(rng.stream("sample")),
      update_rng_(rng.stream("update")),
      left_(subgoal_dim_) {
  training_ = make_lanes(lanes);
  exploiting_ = make_lanes(0);
  const Matrix state = Matrix::Zero(low_.spec.obs_dim, lanes), no_goal = Matrix::Zero(0, lanes);
  const std::vector<std::uint8_t> no(static_cast<std::size_t>(lanes));
  low_step_ = {.before = {state, no_goal, no_goal},
               .action = Matrix::Zero(spec.action.dim, lanes),
               .reward = Matrix::Zero(1, lanes),
               .terminated = no,
               .truncated = no,
               .success = no,
               .failed = no,
               .after = {state, no_goal, no_goal}};
  const Index batch = c_.high.batch_size;
  drawn_.resize(static_cast<std::size_t>(batch));
  given_ = Matrix::Zero(subgoal_dim_, batch);
}

// ---- acting ---------------------------------------------------------------------------------------------------------

Hiro::Lanes Hiro::make_lanes(Index n) const {
  Lanes lanes{.point = Matrix::Zero(subgoal_dim_, n),
              .subgoal = Matrix::Zero(subgoal_dim_, n),
              .k = std::vector<std::uint64_t>(static_cast<std::size_t>(n)),
              .pretraining = std::vector<std::uint64_t>(static_cast<std::size_t>(n)),
              .high_in = Matrix::Zero(high_.spec.state_dim(), n),
              .high_out = Matrix::Zero(subgoal_dim_, n),
              .low_in = Matrix::Zero(low_.spec.obs_dim, n),
              .due = {}};
  lanes.due.reserve(static_cast<std::size_t>(n));
  return lanes;
}

bool Hiro::pretraining() const {
  return episodes_begun_ < c_.pretraining.episodes ||
         std::any_of(training_.pretraining.begin(), training_.pretraining.end(), [](auto p) { return p != 0; });
}

void Hiro::act(const ObsBatch& obs, const std::vector<std::uint8_t>& first, Mode mode, MatrixRef action) {
  const Index n = obs.obs.cols();
  if (mode == Mode::exploit && exploiting_.point.cols() != n) exploiting_ = make_lanes(n);
  Lanes& lanes = mode == Mode::explore ? training_ : exploiting_;
  for (std::size_t i = 0; i < first.size(); ++i)
    if (first[i]) lanes.k[i] = 0;
  begin_step(obs, mode, lanes);
  lanes.low_in.topRows(obs_dim_) = obs.obs;
  lanes.low_in.bottomRows(subgoal_dim_) = lanes.subgoal;
  to_low_input(lanes.low_in);
  low_.act(lanes.low_in, low_.learns(pretraining()) ? mode : Mode::exploit, act_rng_, action);
  if (mode == Mode::explore) acted_ = true;
}

// g_t ~ μ_hi(s_t) if t ≡ 0 (mod c), else g_t = h(s_{t−1}, g_{t−1}, s_t)                                section 3.1
void Hiro::begin_step(const ObsBatch& obs, Mode mode, Lanes& lanes) {
  lanes.due.clear();
  for (std::size_t i = 0; i < lanes.k.size(); ++i) {
    const Index lane = static_cast<Index>(i);
    space_.change_left(lanes.point.col(lane), obs.obs.col(lane), lanes.subgoal.col(lane));
    const bool over = lanes.k[i] == static_cast<std::uint64_t>(c_.c) ||
                      (c_.intrinsic.at_subgoal == AtSubgoal::end_segment && space_.reached(lanes.subgoal.col(lane)));
    if (mode == Mode::explore && lanes.k[i] == 0) lanes.pretraining[i] = episodes_begun_++ < c_.pretraining.episodes;
    if (lanes.k[i] == 0 || over) lanes.due.push_back(lane);
  }
  if (!lanes.due.empty()) decide(obs, mode, lanes);
  for (std::uint64_t& k : lanes.k) ++k;
}

void Hiro::decide(const ObsBatch& obs, Mode mode, Lanes& lanes) {
  const Index n = static_cast<Index>(lanes.due.size());
  for (Index j = 0; j < n; ++j) {
    const Index lane = lanes.due[static_cast<std::size_t>(j)];
    lanes.high_in.col(j).head(obs_dim_) = obs.obs.col(lane);
    lanes.high_in.col(j).tail(obs.desired.rows()) = obs.desired.col(lane);
  }
  high_.act(lanes.high_in.leftCols(n), high_.learns(false) ? mode : Mode::exploit, act_rng_,
            lanes.high_out.leftCols(n));
  for (Index j = 0; j < n; ++j) {
    const Index lane = lanes.due[static_cast<std::size_t>(j)];
    const std::size_t i = static_cast<std::size_t>(lane);
    lanes.k[i] = 0;
    lanes.subgoal.col(lane) = lanes.high_out.col(j).cwiseProduct(space_.limits());
    if (lanes.pretraining[i]) space_.draw_random(c_.pretraining, act_rng_, lanes.subgoal.col(lane));
    for (Index d = 0; d < subgoal_dim_; ++d)
      lanes.point(d, lane) = obs.obs(space_.dim(d), lane) + lanes.subgoal(d, lane);
    if (mode == Mode::exploit) continue;
    segments_.clear(static_cast<int>(lane));
    const Segment segment = segments_.open(static_cast<int>(lane));
    segment.obs().col(0) = obs.obs.col(lane);
    segment.desired() = obs.desired.col(lane);
    segment.subgoal() = lanes.subgoal.col(lane);
    if (!unfinished_[i]) continue;  // next_subgoal = decision: the last step can now be stored
    low_step_.after.obs.col(lane).tail(subgoal_dim_) = lanes.subgoal.col(lane);
    transitions_.add(low_step_, lane, static_cast<int>(lane));
    unfinished_[i] = 0;
  }
}

// [s; g] as the low level's networks see it
void Hiro::to_low_input(MatrixRef sg) const {
  if (c_.subgoal_input == SubgoalInput::point)
    for (Index d = 0; d < subgoal_dim_; ++d) sg.row(obs_dim_ + d) += sg.row(space_.dim(d));
  for (const int dim : c_.hidden_from_low) sg.row(dim).setZero();
}

bool Hiro::subgoal(Mode mode, Index lane, VectorRef obs) const {
  obs.setConstant(std::numeric_limits<Scalar>::quiet_NaN());
  for (Index i = 0; i < subgoal_dim_; ++i) obs(space_.dim(i)) = points(mode)(i, lane);
  return true;
}

// ---- remembering ----------------------------------------------------------------------------------------------------

void Hiro::observe(const StepBatch& step) {
  if (!acted_) begin_step(step.before, Mode::explore, training_);  // the actions were not ours, sub-goals are
  acted_ = false;
  for (std::size_t i = 0; i < unfinished_.size(); ++i) {
    const Index lane = static_cast<Index>(i), k = static_cast<Index>(training_.k[i]);
    if (step.is_unstable(i)) {  // the segment under way is dropped; the next decision clears it
      transitions_.add(step, lane, static_cast<int>(lane));
      training_.k[i] = 0;
      unfinished_[i] = 0;
      continue;
    }
    const auto s = step.before.obs.col(lane), s2 = step.after.obs.col(lane);
    const auto g = training_.subgoal.col(lane);
    const bool ended = step.ended(i);
    space_.change_left(training_.point.col(lane), s2, left_);  // h(s, g, s')

    // (s_t‖g_t, a_t, r_lo, s_{t+1}‖h(s_t, g_t, s_{t+1}))                                             section 3.1
    low_step_.before.obs.col(lane) << s, g;
    low_step_.after.obs.col(lane) << s2, left_;
    low_step_.action.col(lane) = step.action.col(lane);
    low_step_.terminated[i] = step.terminated[i] && c_.task_end_ends_low;
    low_step_.truncated[i] = ended && !low_step_.terminated[i];
    collected_.add("lo/reward", space_.intrinsic_reward(left_));

    const Segment segment = segments_.open(static_cast<int>(lane));
    segment.actions().col(k - 1) = step.action.col(lane);
    segment.obs().col(k) = s2;
    segment.reward() += step.reward(0, lane);
    segment.set_length(k);

    const bool there = space_.reached(left_);
    const bool over = ended || k == c_.c || (there && c_.intrinsic.at_subgoal == AtSubgoal::end_segment);
    if (over) {
      if (c_.intrinsic.reached > 0) collected_.add("lo/suc_ratio", there);
      collected_.add("lo/distance", left_.norm());
      end_segment(step, static_cast<int>(lane));
    }
    unfinished_[i] = over && !ended && c_.next_subgoal == NextSubgoal::decision;
    if (!unfinished_[i]) transitions_.add(low_step_, lane, static_cast<int>(lane));
    if (ended) training_.k[i] = 0;
  }
  observed_ += step.reward.cols();
}

// (s_t, g_t, Σ R_{t:t+c−1}, s_{t+c}), with the low level's states and actions                            section 3.3
void Hiro::end_segment(const StepBatch& step, int lane) {
  const std::size_t i = static_cast<std::size_t>(lane);
  if (training_.pretraining[i]) return;
  const Segment segment = segments_.open(lane);
  segment.desired_after() = step.after.desired.col(lane);
  segment.terminated() = Scalar(step.terminated[i] != 0);
  collected_.add("hi/reward", high_.c.reward_scale * segment.reward());
  const bool cut = step.ended(i) && segment.length() < c_.c;
  if (!cut || c_.short_segments == ShortSegments::keep) segments_.add(lane);
}

// ---- learning -------------------------------------------------------------------------------------------------------

bool Hiro::ready() const {
  return transitions_.size() > 0 && observed_ >= c_.learning_starts && remembers(c_.learning_starts);
}

// One transition of each lane may wait for the next decision before it is stored.
bool Hiro::remembers(std::int64_t transitions) const {
  return transitions_.size() + static_cast<Index>(unfinished_.size()) >=
         std::min<Index>(transitions, transitions_.capacity());
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
      if (c_.correction.kind == Correction::candidates) metrics.add("hi/kept_subgoals", correction_.kept());
    }
}

std::vector<HistogramSample> Hiro::histogram_samples() {
  std::vector<HistogramSample> list;
  if (low_.updated) list.push_back({"lo/q_values", low_.learner->action_values(low_.batch)});
  if (!high_.updated) return list;
  list.push_back({"hi/q_values", high_.learner->action_values(high_.batch)});
  for (Index d = 0; d < subgoal_dim_; ++d)
    list.push_back({detail::concatenate("hi/subgoal_", space_.dim(d)), space_.limits()(d) * high_.batch.a.row(d)});
  return list;
}

const Batch& Hiro::sample_low() {
  Batch& b = low_.batch;
  sampler_.sample(sample_rng_, b);
  if (c_.low_relabelled > 0) relabel_low();
  for (Index j = 0; j < b.size(); ++j) {
    space_.goal_transition(b.s.col(j).head(obs_dim_), b.s.col(j).tail(subgoal_dim_), b.s2.col(j).head(obs_dim_), left_);
    b.r(0, j) = low_.c.reward_scale * space_.intrinsic_reward(left_);
    if (c_.intrinsic.at_subgoal != AtSubgoal::go_on && space_.reached(left_)) b.discount(0, j) = 0;
  }
  to_low_input(b.s);
  to_low_input(b.s2);
  return b;
}

// g = φ(s_k) − φ(s) + noise, s_k a random other state of the batch                          section 5, an ablation
void Hiro::relabel_low() {
  Batch& b = low_.batch;
  const Index n = b.size();
  if (n < 2) return;
  for (Index j = 0; j < n; ++j) {
    if (sample_rng_.uniform() >= Scalar(c_.low_relabelled)) continue;
    const Index other = (j + 1 + Index(sample_rng_.below(static_cast<std::uint32_t>(n - 1)))) % n;
    auto g = b.s.col(j).tail(subgoal_dim_);
    for (Index d = 0; d < subgoal_dim_; ++d) {
      const int dim = space_.dim(d);
      const Scalar noise = Scalar(c_.low_relabel_stddev) * space_.limits()(d) * sample_rng_.normal();
      g(d) = b.s(dim, other) - b.s(dim, j) + noise;
    }
    space_.goal_transition(b.s.col(j).head(obs_dim_), g, b.s2.col(j).head(obs_dim_), b.s2.col(j).tail(subgoal_dim_));
  }
}

const Batch& Hiro::sample_high() {
  Batch& b = high_.batch;
  const Index desired = b.s.rows() - obs_dim_;
  for (Index j = 0; j < b.size(); ++j) {
    const Index drawn = segments_.draw(sample_rng_);
    drawn_[static_cast<std::size_t>(j)] = drawn;
    const Segment segment = segments_.at(drawn);
    b.s.col(j).head(obs_dim_) = segment.first_obs();
    b.s.col(j).tail(desired) = segment.desired();
    b.s2.col(j).head(obs_dim_) = segment.last_obs();
    b.s2.col(j).tail(desired) = segment.desired_after();
    b.r(0, j) = high_.c.reward_scale * segment.reward();
    b.discount(0, j) = segment.terminated() != 0         ? 0
                       : segment.length() == Index(c_.c) ? b.gamma
                                                         : std::pow(b.gamma, Scalar(segment.length()) / Scalar(c_.c));
    given_.col(j) = segment.subgoal();
  }
  correction_.correct(segments_, drawn_, given_, low_policy_, sample_rng_, b.a);
  return b;
}

// ---- state ----------------------------------------------------------------------------------------------------------

void Hiro::visit_policy(StateVisitor& v) {
  {
    const StateVisitor::Scope scope(v, "low");
    low_.learner->visit_policy(v);
  }
  const StateVisitor::Scope scope(v, "high");
  high_.learner->visit_policy(v);
}

void Hiro::visit_state(StateVisitor& v) {
  visit_state_without_replay(v);
  visit_part(v, "transitions", transitions_);
  visit_part(v, "segments", segments_);
}

// An evaluation's lanes are left out: every evaluation begins new episodes.
void Hiro::visit_state_without_replay(StateVisitor& v) {
  visit_part(v, "low", low_);
  visit_part(v, "high", high_);
  v.visit("points", training_.point);
  v.visit("steps_of_segments", std::span(training_.k));
  v.visit("pretraining", std::span(training_.pretraining));
  for (const std::uint64_t k : training_.k)
    if (k > static_cast<std::uint64_t>(c_.c))
      throw std::runtime_error(
          detail::concatenate("Hiro: a segment was saved after ", k, " steps; expected at most ", c_.c));
  {
    const StateVisitor::Scope scope(v, "open_segments");
    segments_.visit_open(v);
  }
  v.visit("unfinished", std::span(unfinished_));
  v.visit("last_before", low_step_.before.obs);
  v.visit("last_after", low_step_.after.obs);
  v.visit("last_action", low_step_.action);
  for (std::size_t i = 0; i < unfinished_.size(); ++i)  // what waits for a decision has not ended
    if (unfinished_[i]) low_step_.terminated[i] = low_step_.truncated[i] = 0;
  v.visit("observed", observed_);
  v.visit("episodes_begun", episodes_begun_);
  visit_part(v, "collected", collected_);
  visit_part(v, "act_rng", act_rng_);
  visit_part(v, "sample_rng", sample_rng_);
  visit_part(v, "update_rng", update_rng_);
}

std::vector<WarmStart> Hiro::warm_starts() {
  std::vector<WarmStart> list;
  for (const auto& [name, level] : {std::pair{"low", &low_}, std::pair{"high", &high_}})
    if (!level->c.policy.empty())
      list.push_back({.setting = detail::concatenate("agent.hiro.", name, ".policy"),
                      .run = level->c.policy,
                      .part = name,
                      .visit = [l = level->learner.get()](StateVisitor& v) { l->begin_with_policy(v); }});
  return list;
}

}  // namespace goalpost
