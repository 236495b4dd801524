#include "algos/hiro.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "algos/schedule.h"
#include "core/check.h"

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

// s‖g -> a
EnvSpec low_spec(const EnvSpec& env, const HiroConfig& c) {
  return {.name = env.name + "'s low level",
          .obs_dim = env.obs_dim + static_cast<int>(c.subgoal.dims.size()),
          .action = env.action,
          .goal = {},
          .max_steps = env.max_steps,
          .can_fail = env.can_fail,
          .dt = env.dt};
}

// s -> g
EnvSpec high_spec(const EnvSpec& env, const HiroConfig& c) {
  const Vector limits =
      Eigen::Map<const Eigen::VectorXd>(c.subgoal.limits.data(), static_cast<Index>(c.subgoal.limits.size()))
          .cast<Scalar>();
  return {.name = env.name + "'s high level",
          .obs_dim = env.obs_dim,
          .action = {.dim = static_cast<int>(limits.size()), .choices = 0, .low = -limits, .high = limits},
          .goal = env.goal,
          .max_steps = (env.max_steps + c.c - 1) / c.c,
          .can_fail = env.can_fail,
          .dt = env.dt * c.c};
}

std::unique_ptr<Learner> make_learner(const LevelConfig& c, const EnvSpec& spec, Rng rng) {
  switch (c.learner) {
    case LearnerKind::ddpg:
      return std::make_unique<Ddpg>(spec, c.ddpg, rng);
    case LearnerKind::sac:
      return std::make_unique<Sac>(spec, c.sac, rng);
    case LearnerKind::td3:
      break;
  }
  return std::make_unique<Td3>(spec, c.td3, rng);
}

SegmentShape segment_shape(const EnvSpec& env, const HiroConfig& c) {
  return {.obs = env.obs_dim,
          .action = env.action.dim,
          .desired = env.goal.dim,
          .subgoal = static_cast<Index>(c.subgoal.dims.size()),
          .steps = c.c};
}

// The same mean under another prefix, with the documents' names: train/ent_coef of the low level is lo/alpha.
void add_as(std::string_view prefix, const Metrics::Slot& m, Metrics& out) {
  std::string_view name = m.name().substr(m.name().find('/') + 1);
  if (name == "ent_coef") name = "alpha";
  if (name == "ent_coef_loss") name = "alpha_loss";
  std::array<char, 64> text;
  const std::size_t length = std::min(name.size(), text.size() - prefix.size());
  std::copy_n(name.begin(), length, std::copy(prefix.begin(), prefix.end(), text.begin()));
  out.add({text.data(), prefix.size() + length}, m.mean());
}

}  // namespace

std::string hiro_problem(const HiroConfig& c, const EnvSpec& spec, int lanes) {
  const auto say = [](const auto&... parts) { return detail::concatenate("agent.hiro.", parts...); };
  const auto& [dims, limits] = c.subgoal;
  if (dims.empty() || dims.size() != limits.size())
    return say("subgoal.dims names ", dims.size(), " numbers of an observation, subgoal.limits holds ", limits.size(),
               "; expected equally many, and at least one");
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] >= spec.obs_dim)
      return say("subgoal.dims holds ", dims[i], ", but an observation of ", spec.name, " has ", spec.obs_dim,
                 " numbers; expected 0 to ", spec.obs_dim - 1);
    if (std::count(dims.begin(), dims.end(), dims[i]) > 1)
      return say("subgoal.dims holds ", dims[i], " more than once; expected different numbers");
    if (!(limits[i] > 0)) return say("subgoal.limits holds ", limits[i], "; expected positive numbers");
  }
  for (const int dim : c.hidden_from_low)
    if (dim >= spec.obs_dim)
      return say("hidden_from_low holds ", dim, ", but an observation of ", spec.name, " has ", spec.obs_dim,
                 " numbers; expected 0 to ", spec.obs_dim - 1);
  if (lanes > 0 && c.low.capacity / lanes < spec.max_steps)
    return say("low.capacity = ", c.low.capacity, " over ", lanes, " lanes holds no whole episode of ", spec.max_steps,
               " steps; expected at least ", static_cast<std::int64_t>(lanes) * spec.max_steps);
  if (c.intrinsic.at_subgoal != AtSubgoal::go_on && c.intrinsic.reached == 0)
    return say("intrinsic.at_subgoal = \"", kAtSubgoalNames[static_cast<std::size_t>(c.intrinsic.at_subgoal)],
               "\" needs to know when a sub-goal is reached; expected intrinsic.reached > 0");
  if (c.pretraining.low > c.pretraining.high)
    return say("pretraining.low = ", c.pretraining.low, " is larger than pretraining.high = ", c.pretraining.high);
  if (c.low.learns == Learns::pretraining && c.pretraining.episodes == 0)
    return say("low.learns = \"pretraining\", but pretraining.episodes = 0; expected some episodes");
  if (c.high.learns == Learns::pretraining)
    return say("high.learns = \"pretraining\", when the high level waits; expected \"always\" or \"never\"");
  return "";
}

void check_hiro_training(const HiroConfig& c, const TrainingPlan& plan, TrainingCheck& check) {
  const EnvSpec& spec = plan.spec;
  for (const auto& [name, level] : {std::pair{"low", &c.low}, std::pair{"high", &c.high}})
    if (level->batch_size > level->capacity)
      check.problems.push_back(detail::concatenate("agent.hiro.", name, ".batch_size = ", level->batch_size,
                                                   " is larger than agent.hiro.", name,
                                                   ".capacity = ", level->capacity));
  const bool low = c.low.learns != Learns::never && c.low.updates > 0;
  const bool high = c.high.learns != Learns::never && c.high.updates > 0;
  // A segment that ends before c steps, if not at its sub-goal, is one that the episode's end has cut.
  if (high && c.c > spec.max_steps && c.short_segments == ShortSegments::drop &&
      c.intrinsic.at_subgoal != AtSubgoal::end_segment)
    check.problems.push_back(detail::concatenate(
        "agent.hiro.c = ", c.c, " is longer than an episode of ", spec.name, ", ", spec.max_steps,
        " steps, and short_segments = \"drop\" leaves the high level nothing to learn from; expected a smaller c, or "
        "\"keep\""));
  if (!low && !high)
    check.warnings.push_back("neither level of agent.hiro learns: both have learns = \"never\" or updates = 0");
  else if (c.learning_starts > plan.steps)
    check.warnings.push_back(detail::concatenate("agent.hiro.learning_starts = ", c.learning_starts,
                                                 " is more than the run's ", plan.steps,
                                                 " environment steps: nothing is learnt"));
}

void add_hiro_memory(const HiroConfig& c, const EnvSpec& spec, MemoryNeed& need) {
  const EnvSpec low = low_spec(spec, c);
  const auto scalars = [](Index count) { return static_cast<std::uint64_t>(count) * sizeof(Scalar); };
  need.add("replay buffer", ReplayBuffer(low, {}, 0).transition_bytes(), static_cast<std::uint64_t>(c.low.capacity));
  need.add("segments", scalars(segment_shape(spec, c).size()), static_cast<std::uint64_t>(c.high.capacity));
  std::uint64_t columns = 0;  // of the correction
  if (c.correction.kind == Correction::candidates)
    columns = static_cast<std::uint64_t>(c.high.batch_size) * static_cast<std::uint64_t>(c.correction.candidates) *
              static_cast<std::uint64_t>(c.c);
  need.add("batches", scalars(Index(low.obs_dim) + spec.action.dim), columns);
  need.add("batches", Batch::bytes(low), static_cast<std::uint64_t>(c.low.batch_size));
  need.add("batches", Batch::bytes(high_spec(spec, c)), static_cast<std::uint64_t>(c.high.batch_size));
}

// ---- levels ---------------------------------------------------------------------------------------------------------

Hiro::Level::Level(const LevelConfig& config, EnvSpec level_spec, Rng rng)
    : c(config),
      spec(std::move(level_spec)),
      half_range((spec.action.high - spec.action.low) / 2),
      learner(make_learner(c, spec, rng)),
      batch(spec, c.batch_size) {}

bool Hiro::Level::learns(bool pretraining) const {
  return c.learns == Learns::always || (c.learns == Learns::pretraining && pretraining);
}

void Hiro::Level::act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) {
  learner->act(s, mode, rng, a);
  if (mode == Mode::exploit || c.exploration_noise == 0) return;
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i)
      a(i, j) = std::clamp(a(i, j) + c.exploration_noise / half_range(i) * rng.normal(), Scalar(-1), Scalar(1));
}

void Hiro::Level::visit_state(StateVisitor& v) {
  visit_part(v, "learner", *learner);
  v.visit("due", due);
}

Hiro::Hiro(const EnvSpec& spec, const HiroConfig& config, int lanes, Rng rng)
    : c_(lanes > 0 ? config : without_batches(config)),
      obs_dim_(checked(spec, config, lanes).obs_dim),
      subgoal_dim_(static_cast<Index>(config.subgoal.dims.size())),
      low_(c_.low, low_spec(spec, config), rng.stream("low")),
      high_(c_.high, high_spec(spec, config), rng.stream("high")),
      transitions_(low_.spec, {.capacity = config.low.capacity}, lanes),
      sampler_(transitions_),
      segments_(segment_shape(spec, config), config.high.capacity, lanes),
      unfinished_(static_cast<std::size_t>(lanes)),
      act_rng_(rng.stream("act")),
      sample_rng_(rng.stream("sample")),
      update_rng_(rng.stream("update")),
      left_(subgoal_dim_) {
  limits_ = high_.spec.action.high;
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
  if (c_.correction.kind != Correction::candidates) return;
  const Index candidates = batch * c_.correction.candidates;
  candidates_ = Matrix::Zero(subgoal_dim_, candidates);
  scores_ = Matrix::Zero(1, candidates);
  rolled_in_ = Matrix::Zero(low_.spec.obs_dim, candidates * c_.c);
  rolled_actions_ = Matrix::Zero(spec.action.dim, candidates * c_.c);
}

// ---- sub-goals ------------------------------------------------------------------------------------------------------

// h(s, g, s') = φ(s) + g − φ(s')                                                                      section 3.2
void Hiro::goal_transition(ConstVectorRef s, ConstVectorRef g, ConstVectorRef s2, VectorRef g2) const {
  for (Index i = 0; i < subgoal_dim_; ++i) {
    const int dim = c_.subgoal.dims[static_cast<std::size_t>(i)];
    g2(i) = s(dim) + g(i) - s2(dim);
  }
}

// r_lo = −‖φ(s) + g − φ(s')‖₂ = −‖h(s, g, s')‖₂                                                       section 3.2
Scalar Hiro::intrinsic_reward(ConstVectorRef g2) const {
  return c_.intrinsic.reward == IntrinsicReward::distance ? -g2.norm() : -g2.squaredNorm() / Scalar(g2.size());
}

bool Hiro::reached(ConstVectorRef g2) const {
  return c_.intrinsic.reached > 0 && -intrinsic_reward(g2) <= Scalar(c_.intrinsic.reached);
}

bool Hiro::subgoal(Mode mode, Index lane, VectorRef obs) const {
  obs.setConstant(std::numeric_limits<Scalar>::quiet_NaN());
  for (Index i = 0; i < subgoal_dim_; ++i) obs(c_.subgoal.dims[static_cast<std::size_t>(i)]) = points(mode)(i, lane);
  return true;
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

// g = point − φ(s): h, where the point aimed at is kept.
void Hiro::change_left(ConstVectorRef point, ConstVectorRef s, VectorRef g) const {
  for (Index i = 0; i < subgoal_dim_; ++i) g(i) = point(i) - s(c_.subgoal.dims[static_cast<std::size_t>(i)]);
}

// g_t ~ μ_hi(s_t) if t ≡ 0 (mod c), else g_t = h(s_{t−1}, g_{t−1}, s_t)                                section 3.1
void Hiro::begin_step(const ObsBatch& obs, Mode mode, Lanes& lanes) {
  lanes.due.clear();
  for (std::size_t i = 0; i < lanes.k.size(); ++i) {
    const Index lane = static_cast<Index>(i);
    change_left(lanes.point.col(lane), obs.obs.col(lane), lanes.subgoal.col(lane));
    const bool over = lanes.k[i] == static_cast<std::uint64_t>(c_.c) ||
                      (c_.intrinsic.at_subgoal == AtSubgoal::end_segment && reached(lanes.subgoal.col(lane)));
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
    lanes.subgoal.col(lane) = lanes.high_out.col(j).cwiseProduct(limits_);
    if (lanes.pretraining[i]) draw_random_subgoal(lanes.subgoal.col(lane));
    for (Index d = 0; d < subgoal_dim_; ++d)
      lanes.point(d, lane) = obs.obs(c_.subgoal.dims[static_cast<std::size_t>(d)], lane) + lanes.subgoal(d, lane);
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

void Hiro::draw_random_subgoal(VectorRef g) {
  const PretrainingConfig& p = c_.pretraining;
  for (Index d = 0; d < g.size(); ++d) {
    if (p.subgoals == RandomSubgoals::uniform) {
      const Scalar size = act_rng_.uniform(Scalar(p.low), Scalar(p.high));
      g(d) = act_rng_.below(2) == 0 ? size : -size;
    } else {
      g(d) = std::clamp(Scalar(p.stddev) * limits_(d) * act_rng_.normal(), -limits_(d), limits_(d));
    }
  }
}

// [s; g] as the low level's networks see it
void Hiro::to_low_input(MatrixRef sg) const {
  if (c_.subgoal_input == SubgoalInput::point)
    for (Index d = 0; d < subgoal_dim_; ++d)
      sg.row(obs_dim_ + d) += sg.row(c_.subgoal.dims[static_cast<std::size_t>(d)]);
  for (const int dim : c_.hidden_from_low) sg.row(dim).setZero();
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
    change_left(training_.point.col(lane), s2, left_);  // h(s, g, s')

    // (s_t‖g_t, a_t, r_lo, s_{t+1}‖h(s_t, g_t, s_{t+1}))                                             section 3.1
    low_step_.before.obs.col(lane) << s, g;
    low_step_.after.obs.col(lane) << s2, left_;
    low_step_.action.col(lane) = step.action.col(lane);
    low_step_.terminated[i] = step.terminated[i] && c_.task_end_ends_low;
    low_step_.truncated[i] = ended && !low_step_.terminated[i];
    collected_.add("lo/reward", intrinsic_reward(left_));

    const Segment segment = segments_.open(static_cast<int>(lane));
    segment.actions().col(k - 1) = step.action.col(lane);
    segment.obs().col(k) = s2;
    segment.reward() += step.reward(0, lane);
    segment.set_length(k);

    const bool there = reached(left_);
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
      sample_low();
      learn(low_, "lo/", metrics);
    }
  if (high_.learns(false) && segments_.size() > 0)
    for (high_.due = add_due(high_.due, high_.c.updates); high_.due >= 1; --high_.due) {
      sample_high();
      learn(high_, "hi/", metrics);
      if (c_.correction.kind == Correction::candidates) metrics.add("hi/kept_subgoals", kept_);
    }
}

void Hiro::learn(Level& level, std::string_view prefix, Metrics& metrics) {
  level.metrics.clear();
  level.learner->update(level.batch, update_rng_, level.metrics);
  level.updated = true;
  for (const Metrics::Slot& m : level.metrics) add_as(prefix, m, metrics);
}

std::vector<Distribution> Hiro::distributions() {
  std::vector<Distribution> list;
  if (low_.updated) list.push_back({"lo/q_values", low_.learner->action_values(low_.batch)});
  if (!high_.updated) return list;
  list.push_back({"hi/q_values", high_.learner->action_values(high_.batch)});
  for (Index d = 0; d < subgoal_dim_; ++d)
    list.push_back({detail::concatenate("hi/subgoal_", c_.subgoal.dims[static_cast<std::size_t>(d)]),
                    limits_(d) * high_.batch.a.row(d)});
  return list;
}

const Batch& Hiro::sample_low() {
  Batch& b = low_.batch;
  sampler_.sample(sample_rng_, b);
  if (c_.low_relabelled > 0) relabel_low();
  for (Index j = 0; j < b.size(); ++j) {
    goal_transition(b.s.col(j).head(obs_dim_), b.s.col(j).tail(subgoal_dim_), b.s2.col(j).head(obs_dim_), left_);
    b.r(0, j) = low_.c.reward_scale * intrinsic_reward(left_);
    if (c_.intrinsic.at_subgoal != AtSubgoal::go_on && reached(left_)) b.d(0, j) = 1;
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
      const int dim = c_.subgoal.dims[static_cast<std::size_t>(d)];
      const Scalar noise = Scalar(c_.low_relabel_stddev) * limits_(d) * sample_rng_.normal();
      g(d) = b.s(dim, other) - b.s(dim, j) + noise;
    }
    goal_transition(b.s.col(j).head(obs_dim_), g, b.s2.col(j).head(obs_dim_), b.s2.col(j).tail(subgoal_dim_));
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
    b.d(0, j) = segment.terminated();
    b.duration(0, j) = Scalar(segment.length()) / Scalar(c_.c);
    given_.col(j) = segment.subgoal();
  }
  correct();
  return b;
}

// g̃_t = argmax −½ Σᵢ ‖aᵢ − μ_lo(sᵢ, g̃ᵢ)‖²,  g̃ᵢ₊₁ = h(sᵢ, g̃ᵢ, sᵢ₊₁)                                section 3.3
// over {g_t, φ(s_{t+c}) − φ(s_t), draws from N(φ(s_{t+c}) − φ(s_t), stddev · limits)}
void Hiro::correct() {
  const CorrectionConfig& correction = c_.correction;
  Matrix& a = high_.batch.a;  // [subgoal x B] in units of the limits
  const Index batch = a.cols();
  const auto around_reached = [&](const Segment& segment, Scalar stddev, VectorRef g) {
    for (Index d = 0; d < subgoal_dim_; ++d) {
      const int dim = c_.subgoal.dims[static_cast<std::size_t>(d)];
      g(d) = segment.last_obs()(dim) - segment.first_obs()(dim);
      if (stddev > 0) g(d) += stddev * limits_(d) * sample_rng_.normal();
    }
  };
  const auto cut = [&](VectorRef g) {
    if (correction.clip) g = g.cwiseMin(limits_).cwiseMax(-limits_);
  };

  if (correction.kind != Correction::candidates) {
    a = given_;
    if (correction.kind == Correction::one_draw)
      for (Index j = 0; j < batch; ++j) {
        around_reached(segments_.at(drawn_[static_cast<std::size_t>(j)]), Scalar(correction.stddev), a.col(j));
        cut(a.col(j));
      }
    a.array().colwise() /= limits_.array();
    return;
  }

  const Index candidates = correction.candidates;
  for (Index j = 0, column = 0; j < batch; ++j) {
    const Segment segment = segments_.at(drawn_[static_cast<std::size_t>(j)]);
    const MatrixMap obs = segment.obs();
    for (Index n = 0; n < candidates; ++n) {
      auto g = candidates_.col(j * candidates + n);
      if (n == 0)
        g = given_.col(j);
      else
        around_reached(segment, n == 1 ? Scalar(0) : Scalar(correction.stddev), g);
      cut(g);
      for (Index i = 0; i < c_.c; ++i, ++column) {  // beyond a short segment's end are numbers that nothing looks at
        rolled_in_.col(column).head(obs_dim_) = obs.col(i);
        goal_transition(obs.col(0), g, obs.col(i), rolled_in_.col(column).tail(subgoal_dim_));
      }
    }
  }
  to_low_input(rolled_in_);
  constexpr Index kBlock = 512;  // columns whose activations stay in the cache
  for (Index first = 0; first < rolled_in_.cols(); first += kBlock) {
    const Index count = std::min(kBlock, rolled_in_.cols() - first);
    low_.learner->act(rolled_in_.middleCols(first, count), Mode::exploit, sample_rng_,
                      rolled_actions_.middleCols(first, count));
  }

  Index kept = 0;
  for (Index j = 0; j < batch; ++j) {
    const Segment segment = segments_.at(drawn_[static_cast<std::size_t>(j)]);
    const Index length = segment.length();
    Index best = j * candidates;
    for (Index n = j * candidates; n < (j + 1) * candidates; ++n) {
      scores_(0, n) =
          -(segment.actions().leftCols(length) - rolled_actions_.middleCols(n * c_.c, length)).squaredNorm() / 2;
      if (scores_(0, n) > scores_(0, best)) best = n;
    }
    a.col(j) = candidates_.col(best).cwiseQuotient(limits_);
    kept += best == j * candidates;
  }
  kept_ = static_cast<double>(kept) / static_cast<double>(batch);
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
  visit_without_memory(v);
  visit_part(v, "transitions", transitions_);
  visit_part(v, "segments", segments_);
}

// An evaluation's lanes are left out: every evaluation begins new episodes.
void Hiro::visit_without_memory(StateVisitor& v) {
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

std::vector<InitialPolicy> Hiro::initial_policies() {
  std::vector<InitialPolicy> list;
  for (const auto& [name, level] : {std::pair{"low", &low_}, std::pair{"high", &high_}})
    if (!level->c.policy.empty())
      list.push_back({.setting = detail::concatenate("agent.hiro.", name, ".policy"),
                      .run = level->c.policy,
                      .part = name,
                      .visit = [l = level->learner.get()](StateVisitor& v) { l->begin_with_policy(v); }});
  return list;
}

}  // namespace goalpost
