// HIRO's sub-goals, segments and their relabeling against a model that keeps every step of a random walk.
#include "algos/hiro/hiro.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "algos/hiro/config.h"
#include "algos/hiro/subgoal_space.h"
#include "property/generators.h"
#include "support/levels.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

struct Step {
  Vector s, a, s2, subgoal, desired, desired_after;
  Scalar reward = 0;
  bool decided = false, last = false, terminated = false;  // last of its segment
  bool ended = false;
};

// An agent with small networks as they are initialized, and environments that walk at random. The observation begins
// with a number that no other has, so that a column of a batch can be found again; positions are multiples of 1/8.
struct Walk {
  HiroConfig c;
  EnvSpec spec;
  int envs;
  Rng rng;
  std::unique_ptr<Hiro> agent;
  ObsBatch now;
  std::vector<std::uint8_t> first;
  std::vector<std::vector<Step>> steps;  // by environment
  std::vector<int> taken, point_kept;    // steps of the running episode, and of the running segment
  Matrix points;
  Scalar number = 0;

  Walk() : envs(*whole(1, 3).as("environments")), rng(any_rng()) {
    const int body = *whole(1, 3).as("numbers of a position");
    spec = {.name = "Walk",
            .obs_dim = 1 + body,
            .action = {.dim = *whole(1, 2).as("actions"), .choices = 0, .low = {}, .high = {}},
            .goal = {.dim = 1, .radius = 1, .ends_at_goal = false, .reward = nullptr},
            .max_steps = *whole(1, 8).as("longest episode"),
            .dt = 1};
    spec.action.low = Vector::Constant(spec.action.dim, -2);
    spec.action.high = Vector::Constant(spec.action.dim, 2);
    c.c = *whole(1, 5).as("c");
    c.learning_starts = 0;
    c.subgoal = {};
    c.subgoal.dims.clear();
    c.subgoal.limits.clear();
    for (int d = 1; d <= body; ++d)
      if (d == 1 || *rc::gen::arbitrary<bool>()) {
        c.subgoal.dims.insert(c.subgoal.dims.begin(), d);
        c.subgoal.limits.push_back(*whole(1, 16) / 8.0);
      }
    c.next_subgoal = *rc::gen::element(NextSubgoal::transition, NextSubgoal::decision);
    c.short_segments = *rc::gen::element(ShortSegments::keep, ShortSegments::drop);
    c.intrinsic.reward = *rc::gen::element(IntrinsicReward::distance, IntrinsicReward::mean_square);
    c.subgoal_input = *rc::gen::element(SubgoalInput::offset, SubgoalInput::point);
    c.hidden_from_low = {0};
    c.correction.candidates = *whole(2, 6).as("candidates");
    c.correction.clip = *rc::gen::arbitrary<bool>().as("clip");
    c.correction.first_steps = *whole(1, 8).as("first_steps");
    c.low_relabeled = *rc::gen::element(0.0, 0.5, 1.0).as("low_relabeled");
    c.low_relabel_stddev = 0;
    for (LevelConfig* level : {&c.low, &c.high}) {
      level->batch_size = *whole(1, 8).as("batch");
      level->buffer_size = 1000;
      td3_of(*level).pi.hidden = {5};
      td3_of(*level).q.hidden = {4};
    }
    c.high.reward_scale = Scalar(0.5);
    c.low.reward_scale = Scalar(2);
    agent = std::make_unique<Hiro>(spec, c, envs, rng.stream("agent"));
    now = {Matrix::Zero(spec.obs_dim, envs), Matrix::Zero(1, envs), Matrix::Zero(1, envs)};
    first.assign(static_cast<std::size_t>(envs), 1);
    steps.resize(first.size());
    taken.assign(first.size(), 0);
    point_kept.assign(first.size(), 0);
    for (int i = 0; i < envs; ++i) begin(i);
  }

  Vector phi(const Vector& s) const {
    Vector p(static_cast<Index>(c.subgoal.dims.size()));
    for (Index d = 0; d < p.size(); ++d) p(d) = s(c.subgoal.dims[static_cast<std::size_t>(d)]);
    return p;
  }
  Vector limits() const {
    return Eigen::Map<const Eigen::VectorXd>(c.subgoal.limits.data(), static_cast<Index>(c.subgoal.limits.size()))
        .cast<Scalar>();
  }
  Scalar eighths(int most) { return Scalar(int(rng.below(std::uint32_t(2 * most + 1))) - most) / 8; }
  void begin(Index i) {
    now.obs(0, i) = ++number;
    for (Index d = 1; d < spec.obs_dim; ++d) now.obs(d, i) = eighths(16);
    now.desired(0, i) = eighths(80);
  }

  void take() {
    const Matrix before = agent->points(Mode::explore);
    Matrix action(spec.action.dim, envs);
    agent->act(now, first, Mode::explore, action);
    points = agent->points(Mode::explore);
    const std::vector<std::uint8_t> no(first.size());
    StepBatch step = {now, action, Matrix::Zero(1, envs), no, no, no, no, now};
    for (int i = 0; i < envs; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      // The high level decides where an episode begins, and every c steps; between, the point aimed at stays.
      Step now_taken;
      if (taken[at] == 0) point_kept[at] = 0;
      now_taken.decided = point_kept[at] % c.c == 0;
      if (!now_taken.decided) RC_ASSERT(Vector(points.col(i)) == Vector(before.col(i)));
      ++point_kept[at];
      ++taken[at];
      for (Index d = 0; d < action.rows(); ++d) step.action(d, i) = Scalar(int(rng.below(17)) - 8) / 8;
      step.after.obs(0, i) = ++number;
      for (Index d = 1; d < spec.obs_dim; ++d) step.after.obs(d, i) += eighths(4);
      step.after.desired(0, i) += eighths(4);  // a task may move its goal
      step.reward(0, i) = eighths(8);
      const bool ended = taken[at] == spec.max_steps || rng.below(5) == 0;
      step.terminated[at] = ended && rng.below(2) == 0;
      step.truncated[at] = ended && !step.terminated[at];
      now_taken.s = now.obs.col(i);
      now_taken.s2 = step.after.obs.col(i);
      now_taken.a = step.action.col(i);
      now_taken.subgoal = agent->subgoals(Mode::explore).col(i);
      now_taken.desired = now.desired.col(i);
      now_taken.desired_after = step.after.desired.col(i);
      now_taken.reward = step.reward(0, i);
      now_taken.terminated = step.terminated[at];
      now_taken.ended = ended;
      now_taken.last = ended || point_kept[at] % c.c == 0;
      steps[at].push_back(now_taken);
    }
    agent->observe(step);
    now = step.after;
    for (int i = 0; i < envs; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      first[at] = steps[at].back().ended;
      if (!first[at]) continue;
      taken[at] = 0;
      begin(i);
    }
  }

  // Finished segments that are learned from: environment, first step and one past the last.
  struct Span {
    std::size_t env, begin, end;
  };
  std::vector<Span> segments() const {
    std::vector<Span> list;
    for (std::size_t i = 0; i < steps.size(); ++i)
      for (std::size_t begin = 0, t = 0; t < steps[i].size(); ++t) {
        if (!steps[i][t].last) continue;
        if (t + 1 - begin == static_cast<std::size_t>(c.c) || c.short_segments == ShortSegments::keep)
          list.push_back({i, begin, t + 1});
        begin = t + 1;
      }
    return list;
  }
  // What the low level's networks see of an observation and a sub-goal.
  Vector low_input(Vector s, Vector g) const {
    if (c.subgoal_input == SubgoalInput::point) g += phi(s);
    s(0) = 0;
    Vector in(s.size() + g.size());
    in << s, g;
    return in;
  }
  Vector cut(const Vector& g) const { return c.correction.clip ? Vector(g.cwiseMin(limits()).cwiseMax(-limits())) : g; }
};

bool near(const Vector& a, const Vector& b, double tolerance = 1e-5) {
  return a.size() == b.size() && (a - b).cwiseAbs().maxCoeff() <= Scalar(tolerance) * (1 + b.cwiseAbs().maxCoeff());
}

RC_GTEST_PROP(HiroProperty, AlongASegmentTheGoalTransitionKeepsThePointAimedAt, ()) {
  Walk walk;
  const SubgoalSpace space(walk.c.subgoal, walk.c.intrinsic);
  const int steps = *whole(1, 30).as("steps");
  for (int n = 0; n < steps; ++n) {
    walk.take();
    for (std::size_t i = 0; i < walk.steps.size(); ++i) {
      const Step& step = walk.steps[i].back();
      RC_ASSERT(near(walk.phi(step.s) + step.subgoal, walk.points.col(static_cast<Index>(i))));
      if (step.decided) {
        RC_ASSERT((step.subgoal.cwiseAbs().array() <= walk.limits().array() * Scalar(1.00001)).all());
        continue;
      }
      const Step& last = walk.steps[i][walk.steps[i].size() - 2];
      Vector next(step.subgoal.size());
      space.goal_transition(last.s, last.subgoal, step.s, next);
      RC_ASSERT(near(next, step.subgoal));  // g_t = h(s_{t-1}, g_{t-1}, s_t)
    }
  }
  // h(s, g, s') = φ(s) + g − φ(s'), and by way of any state between it is the same: exact where numbers are.
  const Index n = static_cast<Index>(walk.c.subgoal.dims.size());
  const auto state = [&] {
    Vector s(walk.spec.obs_dim);
    for (Index d = 0; d < s.size(); ++d) s(d) = walk.eighths(100);
    return s;
  };
  const Vector s = state(), between = state(), s2 = state(), g = state().head(n);
  Vector direct(n), half(n), whole_way(n);
  space.goal_transition(s, g, s2, direct);
  space.goal_transition(s, g, between, half);
  space.goal_transition(between, half, s2, whole_way);
  RC_ASSERT(direct == Vector(walk.phi(s) + g - walk.phi(s2)));
  RC_ASSERT(whole_way == direct);
}

RC_GTEST_PROP(HiroProperty, TheLowLevelIsPaidForWhatItsTransitionsHaveLeft, ()) {
  Walk walk;
  walk.c.subgoal_input = SubgoalInput::offset;  // a batch then shows positions and sub-goals as they are
  walk.c.hidden_from_low = {};
  walk.agent = std::make_unique<Hiro>(walk.spec, walk.c, walk.envs, walk.rng.stream("agent"));
  const int steps = *whole(1, 30).as("steps");
  for (int n = 0; n < steps; ++n) walk.take();
  if (!walk.agent->ready()) return;  // one step that waits for the next decision
  const Index obs = walk.spec.obs_dim;
  const Batch& b = walk.agent->sample_low();
  for (Index j = 0; j < b.size(); ++j) {
    const Step* step = nullptr;
    const Step* next = nullptr;
    for (const auto& list : walk.steps)
      for (std::size_t t = 0; t < list.size(); ++t)
        if (list[t].s(0) == b.s(0, j)) {
          step = &list[t];
          next = t + 1 < list.size() ? &list[t + 1] : nullptr;
        }
    RC_ASSERT(step != nullptr);
    const Vector s = b.s.col(j).head(obs), g = b.s.col(j).tail(b.s.rows() - obs), g2 = b.s2.col(j).tail(g.size());
    RC_ASSERT(s == step->s);
    RC_ASSERT(Vector(b.s2.col(j).head(obs)) == step->s2);
    RC_ASSERT(Vector(b.a.col(j)) == step->a);
    RC_ASSERT((b.discount(0, j) == 0) == step->terminated);
    const Vector left = walk.phi(step->s) + g - walk.phi(step->s2);
    const double paid = walk.c.intrinsic.reward == IntrinsicReward::distance
                            ? -left.cast<double>().norm()
                            : -left.cast<double>().squaredNorm() / double(left.size());
    RC_ASSERT(std::abs(double(b.r(0, j)) - 2 * paid) <= 1e-5 * (1 + std::abs(paid)));
    const bool given = near(g, step->subgoal);
    if (!given) {  // relabeled: the way to the state of another column
      RC_ASSERT(walk.c.low_relabeled > 0);
      bool found = false;
      for (Index k = 0; k < b.size(); ++k)
        found = found || (k != j && near(g, walk.phi(b.s.col(k).head(obs)) - walk.phi(s)));
      RC_ASSERT(found);
    }
    if (walk.c.low_relabeled > 0) continue;
    const bool decision = walk.c.next_subgoal == NextSubgoal::decision && step->last && !step->ended;
    if (decision) RC_ASSERT(next != nullptr);
    RC_ASSERT(near(g2, decision ? next->subgoal : left));
  }
}

// Every candidate's score, and which is taken, over the steps of its own segment.
RC_GTEST_PROP(HiroProperty, TheHighLevelLearnsFromTheCandidateThatMakesTheActionsLikeliest, ()) {
  Walk walk;
  const int steps = *whole(1, 30).as("steps");
  for (int n = 0; n < steps; ++n) walk.take();
  while (walk.segments().empty() && walk.c.short_segments == ShortSegments::keep) walk.take();
  const std::vector<Walk::Span> segments = walk.segments();
  RC_ASSERT(walk.agent->segments().size() == static_cast<Index>(segments.size()));
  if (segments.empty()) return;
  const Batch& b = walk.agent->sample_high();
  const Index candidates = walk.c.correction.candidates;
  RC_ASSERT(walk.agent->candidates().cols() == candidates * b.size());
  for (Index j = 0; j < b.size(); ++j) {
    const auto found = std::find_if(segments.begin(), segments.end(),
                                    [&](const Walk::Span& s) { return walk.steps[s.env][s.begin].s(0) == b.s(0, j); });
    RC_ASSERT(found != segments.end());
    const std::vector<Step>& list = walk.steps[found->env];
    const Step &first = list[found->begin], &last = list[found->end - 1];
    Scalar sum = 0;
    for (std::size_t t = found->begin; t < found->end; ++t) sum += list[t].reward;
    RC_ASSERT(Vector(b.s.col(j).head(walk.spec.obs_dim)) == first.s);
    RC_ASSERT(Vector(b.s.col(j).tail(1)) == first.desired);
    RC_ASSERT(Vector(b.s2.col(j).head(walk.spec.obs_dim)) == last.s2);
    RC_ASSERT(Vector(b.s2.col(j).tail(1)) == last.desired_after);
    RC_ASSERT(b.r(0, j) == sum / 2);
    RC_ASSERT((b.discount(0, j) == 0) == last.terminated);

    const auto candidate = [&](Index n) { return Vector(walk.agent->candidates().col(j * candidates + n)); };
    RC_ASSERT(Vector(walk.agent->given().col(j)) == first.subgoal);
    RC_ASSERT(candidate(0) == walk.cut(first.subgoal));
    RC_ASSERT(candidate(1) == walk.cut(walk.phi(last.s2) - walk.phi(first.s)));
    Index best = 0;
    double highest = -std::numeric_limits<double>::infinity();
    for (Index n = 0; n < candidates; ++n) {
      const Vector g = candidate(n);
      RC_ASSERT(g == walk.cut(g));
      double score = 0;
      for (std::size_t t = found->begin; t < found->end; ++t) {
        const Vector left = walk.phi(first.s) + g - walk.phi(list[t].s);  // h, applied from the first step on
        Matrix mu(walk.spec.action.dim, 1);
        walk.agent->low().act(walk.low_input(list[t].s, left), Mode::exploit, walk.rng, mu);
        score -= (list[t].a - mu.col(0)).cast<double>().squaredNorm() / 2;
      }
      const Index column = j * candidates + n;
      // A candidate that cannot win is scored by its first steps alone, and scores only fall.
      const double stored = double(walk.agent->scores()(0, column)), tolerance = 1e-4 * (1 + std::abs(score));
      RC_ASSERT(score <= stored + tolerance);
      highest = std::max(highest, score);
      if (walk.agent->scores()(0, column) > walk.agent->scores()(0, j * candidates + best)) best = n;
    }
    RC_ASSERT(std::abs(highest - double(walk.agent->scores()(0, j * candidates + best))) <= 1e-4 * (1 - highest));
    RC_ASSERT(near(Vector(b.a.col(j).cwiseProduct(walk.limits())), candidate(best)));
  }
}

}  // namespace
}  // namespace goalpost::test
