// The replay memory and HER against a model that keeps every transition in a list and searches it.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "algos/her.h"
#include "property/generators.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

constexpr Scalar kGamma = Scalar(0.9);

// State t of episode e of environment i is observed as (i, e, t) and achieves (i, e, t); the goal that is pursued is
// (i, e, -1), which no state achieves. States near each other are within a large enough radius.
Scalar minus_one_until_reached(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
}

struct Written {
  int env, episode, t;  // t within the episode
  Index begin;          // the environment's count at the episode's start
  Index end = -1;       // one past its last, -1 while it runs
  bool terminated = false, truncated = false, failed = false;
  Scalar action = 0, reward = 0;

  Vector after() const { return Vector(Eigen::Vector3f(Scalar(env), Scalar(episode), Scalar(t + 1)).cast<Scalar>()); }
  Vector desired() const { return Vector(Eigen::Vector3f(Scalar(env), Scalar(episode), Scalar(-1)).cast<Scalar>()); }
};

// Sizes of a memory, and environments whose episodes have random lengths and ends.
struct World {
  int envs, max_steps, room;  // room: transitions of one environment that are kept
  EnvSpec spec;
  ReplayConfig config;
  std::vector<std::vector<Written>> written;   // everything, by environment
  std::map<std::array<int, 3>, Index> counts;  // of environment, episode and t
  Rng rng;

  World()
      : envs(*whole(1, 4).as("environments")),
        max_steps(*whole(1, 6).as("longest episode")),
        room(max_steps + *whole(0, 12).as("room beyond one episode")),
        written(static_cast<std::size_t>(envs)),
        rng(any_rng()) {
    spec.name = "Model";
    spec.obs_dim = 3;
    spec.action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = 1000, .low = {}, .high = {}};
    spec.goal = {.dim = 3,
                 .radius = *rc::gen::element(Scalar(0.5), Scalar(1.5), Scalar(2.5)).as("radius"),
                 .ends_at_goal = *rc::gen::arbitrary<bool>().as("episodes end at their goal"),
                 .reward = &minus_one_until_reached};
    spec.max_steps = max_steps;
    config.buffer_size = envs * room + *whole(0, envs - 1).as("room that no environment gets");
    config.time_limit_ends = *rc::gen::arbitrary<bool>().as("time limits end");
    config.n_step = *rc::gen::element(1, 2, 3, 10).as("n_step");
  }

  // The next transition of an environment, in the column of a step. Of three ends one is the task's, one a failure and
  // one the time limit's.
  void step(int i, StepBatch& out, Index column) {
    std::vector<Written>& log = written[static_cast<std::size_t>(i)];
    const bool goes_on = !log.empty() && log.back().end < 0;
    Written w{.env = i,
              .episode = log.empty() ? 0 : log.back().episode + !goes_on,
              .t = goes_on ? log.back().t + 1 : 0,
              .begin = goes_on ? log.back().begin : static_cast<Index>(log.size())};
    w.action = Scalar(rng.below(1000));
    w.reward = -Scalar(rng.below(50));
    const bool ends = w.t + 1 == max_steps || rng.below(4) == 0;
    const std::uint32_t kind = rng.below(3);
    w.terminated = ends && kind != 0;
    w.failed = ends && kind == 2;
    w.truncated = ends && kind == 0;
    const Index at = column;
    out.before.obs.col(at) << Scalar(i), Scalar(w.episode), Scalar(w.t);
    out.after.obs.col(at) = w.after();
    out.before.achieved.col(at) = out.before.obs.col(at);
    out.after.achieved.col(at) = out.after.obs.col(at);
    out.before.desired.col(at) = out.after.desired.col(at) = w.desired();
    out.action(0, at) = w.action;
    out.reward(0, at) = w.reward;
    const std::size_t c = static_cast<std::size_t>(at);
    out.terminated[c] = w.terminated;
    out.truncated[c] = w.truncated;
    out.failed[c] = w.failed;
    out.success[c] = 0;
    counts[{i, w.episode, w.t}] = static_cast<Index>(log.size());
    log.push_back(w);
    if (!ends) return;
    for (Index k = w.begin; k < static_cast<Index>(log.size()); ++k)
      log[static_cast<std::size_t>(k)].end = static_cast<Index>(log.size());
  }

  StepBatch make_step(int columns) const {
    const Matrix three = Matrix::Zero(3, columns);
    const std::vector<std::uint8_t> no(static_cast<std::size_t>(columns));
    return {{three, three, three}, Matrix::Zero(1, columns), Matrix::Zero(1, columns), no, no, no, no,
            {three, three, three}};
  }
  // Either all environments at once, or one of them out of a step of any width.
  void add_to(ReplayBuffer& buffer) {
    if (rng.below(3) != 0) {
      StepBatch step_of_all = make_step(envs);
      for (int i = 0; i < envs; ++i) step(i, step_of_all, i);
      buffer.add(step_of_all);
    } else {
      const int columns = 1 + static_cast<int>(rng.below(4)), i = static_cast<int>(rng.below(std::uint32_t(envs)));
      const Index column = Index(rng.below(std::uint32_t(columns)));
      StepBatch wide = make_step(columns);
      step(i, wide, column);
      buffer.add(wide, column, i);
    }
  }

  const Written& at(ReplayBuffer::Slot slot) const {
    return written[static_cast<std::size_t>(slot.lane)][static_cast<std::size_t>(slot.t)];
  }
  // Checks reward, successor and discount of a column against the steps from t on, each with an outcome (reward, end).
  template <class OutcomeOf>
  void check_steps(const Batch& b, Index j, int i, Index t, OutcomeOf outcome_of) const {
    const Index written_there = static_cast<Index>(written[static_cast<std::size_t>(i)].size());
    double r = 0, discount = 1;
    Index last = t;
    for (int k = 0; k < config.n_step; ++k) {
      last = t + k;
      const Written& w = at({i, last});
      const auto [reward, ends] = outcome_of(w);
      r += discount * reward;
      discount *= ends ? 0 : double(kGamma);
      if (discount == 0 || last + 1 == written_there || last + 1 == w.end) break;
    }
    RC_ASSERT(std::abs(double(b.r(0, j)) - r) <= 1e-4 * (1 + std::abs(r)));
    RC_ASSERT(std::abs(double(b.discount(0, j)) - discount) <= 1e-6);
    RC_ASSERT(Vector(b.s2.col(j).head(3)) == at({i, last}).after());
  }

  bool is_kept(int i, Index t) const {
    const Index count = static_cast<Index>(written[static_cast<std::size_t>(i)].size());
    return t >= count - room && t >= 0 && t < count;
  }
  using Place = std::pair<int, Index>;  // environment and its count
  using Places = std::set<Place>;
  Places kept() const {
    Places places;
    for (int i = 0; i < envs; ++i)
      for (Index t = 0; t < static_cast<Index>(written[static_cast<std::size_t>(i)].size()); ++t)
        if (is_kept(i, t)) places.insert({i, t});
    return places;
  }
  // Those whose episode has ended and is kept whole.
  Places finished() const {
    Places places;
    for (const auto& [i, t] : kept()) {
      const Written& w = at({i, t});
      if (w.end >= 0 && is_kept(i, w.begin)) places.insert({i, t});
    }
    return places;
  }
  // The place of the transition that left, or that reached, a state.
  Place left(ConstVectorRef state) const {
    return {int(state(0)), counts.at({int(state(0)), int(state(1)), int(state(2))})};
  }
  Place reached(ConstVectorRef state) const {
    return {int(state(0)), counts.at({int(state(0)), int(state(1)), int(state(2)) - 1})};
  }
};

// Draws long enough to have seen every place, if all are equally likely.
template <class Draw>
World::Places places_drawn(std::size_t places, Draw draw) {
  World::Places seen;
  for (std::size_t n = 0; n < 30 * places; ++n) {
    const ReplayBuffer::Slot slot = draw();
    seen.insert({slot.lane, slot.t});
  }
  return seen;
}

RC_GTEST_PROP(ReplayProperty, HoldsTheLastTransitionsOfEveryEnvironmentAndTheWholeEpisodesAmongThem, ()) {
  World world;
  auto buffer = std::make_unique<ReplayBuffer>(world.spec, world.config, world.envs);
  Batch batch(world.spec, 1, kGamma);
  const int steps = *whole(1, 4 * world.room).as("steps");
  for (int n = 0; n < steps; ++n) {
    world.add_to(*buffer);
    if (world.rng.below(20) == 0) {  // saved, and loaded into a new one
      const Snapshot state = snapshot(*buffer);
      buffer = std::make_unique<ReplayBuffer>(world.spec, world.config, world.envs);
      restore(*buffer, state);
    }
    const World::Places kept = world.kept(), finished = world.finished();
    RC_ASSERT(buffer->size() == static_cast<Index>(kept.size()));
    RC_ASSERT(buffer->finished_size() == static_cast<Index>(finished.size()));
    for (const auto& [i, t] : kept) {
      const ReplayBuffer::Slot slot{i, t};
      const Written& w = world.at(slot);
      buffer->copy(slot, 0, batch);
      const double e = w.episode;
      RC_ASSERT(batch.s == matrix({{double(i)}, {e}, {double(w.t)}, {double(i)}, {e}, {-1}}));
      RC_ASSERT(batch.s2 == matrix({{double(i)}, {e}, {w.t + 1.0}, {double(i)}, {e}, {-1}}));
      RC_ASSERT(batch.a(0, 0) == w.action);
      RC_ASSERT(batch.r(0, 0) == w.reward);
      RC_ASSERT(batch.discount(0, 0) == (w.terminated || (w.truncated && world.config.time_limit_ends) ? 0 : kGamma));
      RC_ASSERT(Vector(buffer->achieved_after(slot)) == w.after());
      RC_ASSERT(Vector(buffer->desired(slot)) == w.desired());
      RC_ASSERT(buffer->failed(slot) == w.failed);
      RC_ASSERT(buffer->timeout_as_terminal(slot) == (w.truncated && world.config.time_limit_ends));
      RC_ASSERT(buffer->episode_begin(slot) == w.begin);
      RC_ASSERT(buffer->episode_end(slot) == w.end);
    }
  }
  const World::Places kept = world.kept(), finished = world.finished();
  RC_ASSERT(places_drawn(kept.size(), [&] { return buffer->draw(world.rng); }) == kept);
  if (!finished.empty())
    RC_ASSERT(places_drawn(finished.size(), [&] { return buffer->draw_finished(world.rng); }) == finished);
}

RC_GTEST_PROP(SamplerProperty, DrawsStepsWithTheirDiscountedRewardsAndTheStateAfterThem, ()) {
  World world;
  ReplayBuffer buffer(world.spec, world.config, world.envs);
  const int steps = *whole(1, 4 * world.room).as("steps");
  for (int n = 0; n < steps; ++n) world.add_to(buffer);
  Batch b(world.spec, 50, kGamma);
  UniformSampler(buffer).sample(world.rng, b);
  for (Index j = 0; j < b.size(); ++j) {
    const auto [i, t] = world.left(b.s.col(j).head(3));
    RC_ASSERT(world.is_kept(i, t));
    RC_ASSERT(b.a(0, j) == world.at({i, t}).action);
    RC_ASSERT(Vector(b.s2.col(j).tail(3)) == world.at({i, t}).desired());
    world.check_steps(b, j, i, t, [&](const Written& w) {
      return std::pair<double, bool>(w.reward, w.terminated || (w.truncated && world.config.time_limit_ends));
    });
  }
}

// ---- HER ------------------------------------------------------------------------------------------------------------

// The states that the strategy allows as goals of a transition, each by the place of the transition that reached it.
std::vector<World::Place> allowed_goals(const World& world, HerStrategy strategy, int i, Index t) {
  std::vector<World::Place> goals;
  for (const auto& place : world.finished()) {
    const Written &w = world.at({i, t}), &other = world.at({place.first, place.second});
    const bool same = other.env == w.env && other.episode == w.episode;
    const bool allowed =
        strategy == HerStrategy::random ||
        (same && (strategy == HerStrategy::episode || (strategy == HerStrategy::future && place.second >= t) ||
                  (strategy == HerStrategy::final && place.second == w.end - 1)));
    if (allowed) goals.push_back(place);
  }
  return goals;
}

struct HerCase {
  World world;
  ReplayBuffer buffer{world.spec, world.config, world.envs};
  HerConfig config;

  HerCase() {
    config.strategy =
        *rc::gen::element(HerStrategy::final, HerStrategy::future, HerStrategy::episode, HerStrategy::random)
             .as("strategy");
    config.k = *whole(1, 6).as("k");
    config.recompute_end = *rc::gen::arbitrary<bool>().as("recompute_end");
    config.relabel_failures = *rc::gen::arbitrary<bool>().as("relabel_failures");
    const int steps = *whole(1, 3 * world.room).as("steps");
    for (int n = 0; n < steps; ++n) world.add_to(buffer);
    while (world.finished().empty()) world.add_to(buffer);
  }

  // Whether a column shows its transition with the goal that was pursued.
  bool is_original(const Batch& b, Index j) const { return b.s(5, j) < 0; }
  World::Place place_of(const Batch& b, Index j) const { return world.left(b.s.col(j).head(3)); }
  World::Place goal_of(const Batch& b, Index j) const { return world.reached(b.s.col(j).tail(3)); }

  void check(const Batch& b, Index j) const {
    const auto [i, t] = place_of(b, j);
    const Written& w = world.at({i, t});
    RC_ASSERT(world.finished().contains({i, t}));
    RC_ASSERT(b.a(0, j) == w.action);
    const Vector goal = b.s.col(j).tail(3);
    RC_ASSERT(Vector(b.s2.col(j).tail(3)) == goal);
    const bool original = is_original(b, j);
    if (original) {
      RC_ASSERT(goal == w.desired());
    } else {
      const auto allowed = allowed_goals(world, config.strategy, i, t);
      RC_ASSERT(std::count(allowed.begin(), allowed.end(), goal_of(b, j)) == 1);
    }
    world.check_steps(b, j, i, t, [&](const Written& step) {
      const bool cut = step.truncated && world.config.time_limit_ends;
      std::pair<double, bool> outcome(step.reward, step.terminated || cut);
      if (original) return outcome;
      const bool reached = (step.after() - goal).norm() < world.spec.goal.radius;
      if (!step.failed || config.relabel_failures) outcome.first = reached ? 0 : -1;
      if (!step.failed && world.spec.goal.ends_at_goal && config.recompute_end) outcome.second = reached || cut;
      return outcome;
    });
  }
};

RC_GTEST_PROP(HerProperty, DrawsEveryGoalThatTheStrategyAllowsEquallyOftenAndNoOther, ()) {
  HerCase c;
  const HerSampler sampler(c.buffer, c.world.spec.goal, c.config);
  // Every transition with each of its goals: how often it ought to be drawn, and how often it is. "random" has too many
  // pairs to be counted: the goals alone are.
  const World::Places finished = c.world.finished();
  std::map<std::pair<World::Place, World::Place>, std::pair<double, int>> pairs;
  const double k = c.config.k;
  const auto pair_of = [&](World::Place place, World::Place goal) {
    return std::pair(c.config.strategy == HerStrategy::random ? World::Place() : place, goal);
  };
  for (const World::Place& place : finished) {
    const auto goals = allowed_goals(c.world, c.config.strategy, place.first, place.second);
    for (const World::Place& goal : goals)
      pairs[pair_of(place, goal)].first += k / (k + 1) / double(finished.size()) / double(goals.size());
  }
  constexpr Index kColumns = 100;
  const int batches = static_cast<int>(1 + pairs.size());  // some 50 to 100 of each pair
  Batch b(c.world.spec, kColumns, kGamma);
  int originals = 0;
  for (int n = 0; n < batches; ++n) {
    sampler.sample(c.world.rng, b);
    for (Index j = 0; j < kColumns; ++j) {
      if (n < 3) c.check(b, j);
      if (c.is_original(b, j))
        ++originals;
      else
        ++pairs.at(pair_of(c.place_of(b, j), c.goal_of(b, j))).second;
    }
  }
  const double drawn = double(batches) * kColumns;
  const auto likely = [&](double probability, int count) {
    const double expected = probability * drawn;
    return std::abs(count - expected) <= 5 * std::sqrt(expected) + 5;
  };
  RC_ASSERT(likely(1 / (k + 1), originals));
  for (const auto& [pair, seen] : pairs) RC_ASSERT(likely(seen.first, seen.second));
}

RC_GTEST_PROP(HerProperty, RelabelsGoalRewardAndEndAsAModelDoes, ()) {
  HerCase c;
  c.config.max_redraws = *whole(0, 3).as("max_redraws");
  const HerSampler sampler(c.buffer, c.world.spec.goal, c.config);
  Batch b(c.world.spec, *whole(1, 64).as("batch"), kGamma);
  for (int n = 0; n < 5; ++n) {
    sampler.sample(c.world.rng, b);
    for (Index j = 0; j < b.size(); ++j) {
      c.check(b, j);
      if (c.config.max_redraws == 0 || c.is_original(b, j)) continue;
      // What had been achieved before the transition does not become its goal.
      const auto [i, t] = c.place_of(b, j);
      if (c.world.at({i, t}).t == 0) continue;
      const Vector before = c.world.at({i, t - 1}).after(), goal = b.s.col(j).tail(3);
      RC_ASSERT((before - goal).norm() >= c.world.spec.goal.radius);
    }
    c.world.add_to(c.buffer);
    if (c.world.finished().empty()) return;
  }
}

}  // namespace
}  // namespace goalpost::test
