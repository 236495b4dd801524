#include "algos/replay_buffer.h"

#include <cmath>
#include <cstring>
#include <map>

#include "algos/her.h"
#include "algos/sampler.h"
#include "support/matrices.h"
#include "support/script.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

constexpr Scalar kGamma = Scalar(0.9);

constexpr int kLanes = 3, kMaxSteps = 7, kLaneCapacity = 20;

class ReplayBufferTest : public ::testing::Test {
 protected:
  void fill(int steps) {
    for (int i = 0; i < steps; ++i) buffer_.add(script_.next());
  }
  const Written& written(ReplayBuffer::Slot slot) const {
    return script_.written[static_cast<std::size_t>(slot.lane)][static_cast<std::size_t>(slot.t)];
  }
  Index oldest(int lane) const {
    return std::max<Index>(0,
                           static_cast<Index>(script_.written[static_cast<std::size_t>(lane)].size()) - kLaneCapacity);
  }
  Index expected_finished() const {
    Index count = 0;
    for (int lane = 0; lane < kLanes; ++lane)
      for (const Written& w : script_.written[static_cast<std::size_t>(lane)])
        count += w.end >= 0 && w.begin >= oldest(lane);
    return count;
  }

  EnvSpec spec_ = script_spec(kMaxSteps);
  ReplayBuffer buffer_{spec_, {.buffer_size = kLanes * kLaneCapacity}, kLanes};
  Script script_{spec_, kLanes};
};

TEST_F(ReplayBufferTest, CountsWhatIsStoredAndWhatIsWhole) {
  EXPECT_EQ(buffer_.size(), 0);
  EXPECT_EQ(buffer_.finished_size(), 0);
  for (int step = 1; step <= 300; ++step) {
    fill(1);
    ASSERT_EQ(buffer_.size(), std::min(step, kLaneCapacity) * kLanes);
    ASSERT_EQ(buffer_.finished_size(), expected_finished()) << "after " << step << " steps";
  }
}

TEST_F(ReplayBufferTest, GivesBackWhatWasWrittenBeforeAndAfterTheRingHasWrapped) {
  Batch batch(spec_, 1, kGamma);
  Rng rng(1);
  for (int step = 0; step < 200; ++step) {
    fill(1);
    for (int i = 0; i < 5; ++i) {
      const ReplayBuffer::Slot slot = buffer_.draw(rng);
      ASSERT_GE(slot.t, oldest(slot.lane));
      ASSERT_LT(slot.t, static_cast<Index>(script_.written[static_cast<std::size_t>(slot.lane)].size()));
      const Written& w = written(slot);
      buffer_.copy(slot, 0, batch);
      const double lane = slot.lane, e = w.episode, t = w.t;
      ASSERT_EQ(batch.s, matrix({{lane}, {e}, {t}, {lane}, {e}, {-1}}));
      ASSERT_EQ(batch.s2, matrix({{lane}, {e}, {t + 1}, {lane}, {e}, {-1}}));
      ASSERT_EQ(batch.a(0, 0), Scalar((13 * w.episode + w.t) % 1000));
      ASSERT_EQ(batch.r(0, 0), -1);
      ASSERT_EQ(batch.discount(0, 0), w.terminated ? 0 : kGamma);
      ASSERT_EQ(Matrix(buffer_.achieved_after(slot)), matrix({{lane}, {e}, {t + 1}}));
      ASSERT_EQ(Matrix(buffer_.desired(slot)), matrix({{lane}, {e}, {-1}}));
      ASSERT_EQ(buffer_.episode_begin(slot), w.begin);
      ASSERT_EQ(buffer_.episode_end(slot), w.end);
    }
  }
}

TEST_F(ReplayBufferTest, DrawsAsFinishedOnlyWholeEpisodesThatHaveEnded) {
  Rng rng(2);
  for (int step = 0; step < 300; ++step) {
    fill(1);
    for (int i = 0; i < 10 && buffer_.finished_size() > 0; ++i) {
      const ReplayBuffer::Slot slot = buffer_.draw_finished(rng);
      ASSERT_GE(written(slot).end, 0) << "the episode still runs";
      ASSERT_GE(written(slot).begin, oldest(slot.lane)) << "the episode is partly overwritten";
    }
  }
}

// Chi-square over all slots that may be drawn: mean n - 1, deviation √(2(n-1)); six deviations are allowed.
template <class Draw>
void expect_equal_frequency(Index n, Draw draw) {
  std::map<std::pair<int, Index>, double> counts;
  const int per_slot = 300;
  for (Index i = 0; i < n * per_slot; ++i) {
    const ReplayBuffer::Slot slot = draw();
    ++counts[{slot.lane, slot.t}];
  }
  ASSERT_EQ(static_cast<Index>(counts.size()), n);
  double chi_square = 0;
  for (const auto& [slot, count] : counts) chi_square += (count - per_slot) * (count - per_slot) / per_slot;
  EXPECT_LT(chi_square, static_cast<double>(n - 1) + 6 * std::sqrt(2.0 * static_cast<double>(n - 1)));
}
TEST_F(ReplayBufferTest, DrawsEverythingWithEqualFrequency) {
  Rng rng(3);
  for (const int steps : {11, 100}) {
    fill(steps);
    expect_equal_frequency(buffer_.size(), [&] { return buffer_.draw(rng); });
    expect_equal_frequency(buffer_.finished_size(), [&] { return buffer_.draw_finished(rng); });
  }
}

TEST_F(ReplayBufferTest, UniformSamplerDrawsFromRunningEpisodesToo) {
  fill(2);
  UniformSampler sampler(buffer_);
  Batch batch(spec_, 64, kGamma);
  Rng rng(4);
  sampler.sample(rng, batch);
  EXPECT_TRUE(sampler.ready(6));
  EXPECT_FALSE(sampler.ready(7));
  EXPECT_EQ(batch.s.topRows(2), batch.s2.topRows(2)) << "a transition stays in its lane and episode";
  EXPECT_TRUE((batch.s2.row(2) - batch.s.row(2)).isOnes()) << "a successor is one step later";
  for (int lane = 0; lane < kLanes; ++lane)
    EXPECT_TRUE((batch.s.row(0).array() == Scalar(lane)).any()) << "64 draws of 6 transitions miss lane " << lane;
}

TEST_F(ReplayBufferTest, RestoresAWrappedBuffer) {
  for (const int steps : {5, 90}) {
    fill(steps);
    ReplayBuffer other(spec_, {.buffer_size = kLanes * kLaneCapacity}, kLanes);
    restore(other, snapshot(buffer_));
    EXPECT_EQ(state_hash(other), state_hash(buffer_));
    EXPECT_EQ(other.size(), buffer_.size());
    EXPECT_EQ(other.finished_size(), buffer_.finished_size());
    Script continued = script_;
    Rng a(5), b(5);
    Batch one(spec_, 8, kGamma), two(spec_, 8, kGamma);
    for (int i = 0; i < 60; ++i) {
      buffer_.add(script_.next());
      other.add(continued.next());
      UniformSampler(buffer_).sample(a, one);
      UniformSampler(other).sample(b, two);
      ASSERT_EQ(one.s, two.s);
      ASSERT_EQ(one.discount, two.discount);
      ASSERT_EQ(other.finished_size(), buffer_.finished_size());
      const ReplayBuffer::Slot x = buffer_.draw_finished(a), y = other.draw_finished(b);
      ASSERT_EQ(x.lane, y.lane);
      ASSERT_EQ(x.t, y.t);
      ASSERT_EQ(other.episode_begin(y), buffer_.episode_begin(x));
      ASSERT_EQ(other.episode_end(y), buffer_.episode_end(x));
    }
  }
}

TEST_F(ReplayBufferTest, RefusesAStateThatCannotBe) {
  fill(30);
  const Snapshot saved = snapshot(buffer_);
  const auto with = [&](const std::string& name, std::size_t at, auto value) {
    Snapshot state = saved;
    for (StateEntry& e : state)
      if (e.name == name) std::memcpy(e.bytes.data() + at, &value, sizeof value);
    ReplayBuffer other(spec_, {.buffer_size = kLanes * kLaneCapacity}, kLanes);
    try {
      restore(other, state);
    } catch (const std::runtime_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto begins = [](const std::string& text, const std::string& sentence) {
    EXPECT_EQ(text.substr(0, sentence.size()), sentence);
  };
  EXPECT_EQ(with("lane1/added", 0, std::int64_t(30)), "");
  begins(with("lane1/added", 0, std::int64_t(-1)), "ReplayBuffer: lane 1 was saved with added = -1");
  begins(with("lane1/first_whole", 0, std::int64_t(2)), "ReplayBuffer: lane 1 was saved with added = 30");
  begins(with("lane1/episode_begin", 0, std::int64_t(1) << 60), "ReplayBuffer: lane 1 was saved with added = 30");
  // The first record of the ring is transition 20: since_begin, until_end, flags, and then its numbers.
  begins(with("lane1/records", 0, std::int32_t(1000)), "ReplayBuffer: transition 20 of lane 1 was saved as part of");
  begins(with("lane1/records", 4, std::int32_t(-5)), "ReplayBuffer: transition 20 of lane 1 was saved as part of");
  begins(with("lane1/records", 8, std::uint8_t(2)), "ReplayBuffer: transition 20 of lane 1 was saved with NaN, or");
  begins(with("lane1/records", 16, std::nanf("")), "ReplayBuffer: transition 20 of lane 1 was saved with NaN, or");
}

TEST(ReplayBuffer, HoldsEpisodesAsLongAsALanesWholeShare) {
  const EnvSpec spec = script_spec(4);
  ReplayBuffer buffer(spec, {.buffer_size = 4}, 1);
  Script script(spec, 1);
  for (int i = 0; i < 100; ++i) {
    buffer.add(script.next());
    ASSERT_EQ(buffer.size(), std::min(i + 1, 4));
    ASSERT_LE(buffer.finished_size(), buffer.size());
    const Written& last = script.written[0].back();
    if (last.end >= 0) {
      ASSERT_GE(buffer.finished_size(), last.end - last.begin);
    }
  }
}

// Episodes of the given lengths, one after the other, for ever: as of a dataset, whatever the time limit. State t of
// episode e is observed and achieved as (0, e, t).
class EpisodesOfLengths {
 public:
  explicit EpisodesOfLengths(std::vector<int> lengths) : lengths_(std::move(lengths)) {
    step_ = Script(spec, 1).next();
  }
  const StepBatch& next() {
    const int e = episode_, t = t_;
    step_.before.obs << Scalar(0), Scalar(e), Scalar(t);
    step_.after.obs << Scalar(0), Scalar(e), Scalar(t + 1);
    step_.before.achieved = step_.before.obs;
    step_.after.achieved = step_.after.obs;
    step_.before.desired << Scalar(0), Scalar(e), Scalar(-1);
    step_.after.desired = step_.before.desired;
    const bool ended = t + 1 == length(e);
    step_.terminated[0] = 0;
    step_.truncated[0] = ended;
    begin.push_back(static_cast<Index>(begin.size()) - t);
    whole_at.push_back(begin.back() + length(e));
    ++t_;
    if (!ended) return step_;
    t_ = 0;
    ++episode_;
    return step_;
  }
  int length(int e) const { return lengths_[static_cast<std::size_t>(e) % lengths_.size()]; }

  const EnvSpec spec = script_spec(3);
  std::vector<Index> begin, whole_at;  ///< of the episode of each transition: its first, and one past its last

 private:
  std::vector<int> lengths_;
  int episode_ = 0, t_ = 0;
  StepBatch step_;
};

TEST(ReplayBuffer, ReplaysOnlyWhatItHoldsAlsoBesideEpisodesThatOutgrowALane) {
  constexpr Index kCapacity = 10;
  for (const std::vector<int>& lengths :
       std::vector<std::vector<int>>{{10}, {11}, {12, 11}, {3, 25, 4, 10, 2}, {20}, {1, 31}, {35, 5, 5}, {9, 10, 11}}) {
    EpisodesOfLengths episodes(lengths);
    ReplayBuffer buffer(episodes.spec, {.buffer_size = kCapacity}, 1),
        loaded(episodes.spec, {.buffer_size = kCapacity}, 1);
    const HerSampler her(buffer, episodes.spec.goal, {.strategy = HerStrategy::future});
    const UniformSampler uniform(buffer);
    Batch batch(episodes.spec, 32, kGamma);
    Rng rng(1);
    for (Index added = 1; added <= 120; ++added) {
      buffer.add(episodes.next());
      const Index oldest = std::max<Index>(0, added - kCapacity);
      Index finished = 0;
      for (Index t = oldest; t < added; ++t) {
        const auto i = static_cast<std::size_t>(t);
        finished += episodes.begin[i] >= oldest && episodes.whole_at[i] <= added;
      }
      ASSERT_EQ(buffer.size(), added - oldest);
      ASSERT_EQ(buffer.finished_size(), finished) << "after " << added << " transitions";
      const auto [begin, end] = buffer.last_finished(0);
      if (begin < end) {
        ASSERT_EQ(begin, episodes.begin[static_cast<std::size_t>(end - 1)]);
        ASSERT_EQ(end, episodes.whole_at[static_cast<std::size_t>(begin)]);
      }
      ASSERT_EQ(begin<end, finished> 0);
      restore(loaded, snapshot(buffer));
      ASSERT_EQ(loaded.finished_size(), finished);
      const auto transition = [&](Index j) {  // the one that a column decodes to
        Index t = 0;
        for (int e = 0; e < static_cast<int>(batch.s(1, j)); ++e) t += episodes.length(e);
        return t + static_cast<Index>(batch.s(2, j));
      };
      uniform.sample(rng, batch);
      for (Index j = 0; j < batch.size(); ++j) ASSERT_TRUE(transition(j) >= oldest && transition(j) < added);
      ASSERT_EQ(her.ready(1), finished > 0);
      if (finished == 0) continue;
      her.sample(rng, batch);
      for (Index j = 0; j < batch.size(); ++j) {
        const Index t = transition(j);
        ASSERT_GE(episodes.begin[static_cast<std::size_t>(t)], oldest);
        ASSERT_LE(episodes.whole_at[static_cast<std::size_t>(t)], added);
        ASSERT_EQ(batch.s(4, j), batch.s(1, j)) << "the goal is of another episode";
        ASSERT_TRUE(batch.s(5, j) == -1 || batch.s(5, j) >= batch.s2(2, j)) << "the goal is of the past";
        ASSERT_LE(batch.s(5, j), static_cast<Scalar>(episodes.length(static_cast<int>(batch.s(1, j)))));
      }
    }
  }
}

TEST(ReplayBuffer, OfAnAgentThatOnlyActsHoldsNothing) {
  ReplayBuffer buffer(script_spec(1'000'000), {.buffer_size = 10}, 0);
  EXPECT_EQ(buffer.size(), 0);
  EXPECT_FALSE(UniformSampler(buffer).ready(1));
  EXPECT_THROW_MESSAGE(buffer.add(Script(script_spec(5), 1).next()), std::invalid_argument,
                       "ReplayBuffer::add: the step has 1 environments; expected 0");
  EXPECT_THROW_MESSAGE(ReplayBuffer(script_spec(5), {.buffer_size = 10}, -1), std::invalid_argument,
                       "ReplayBuffer: lanes = -1; expected no negative number");
}

TEST(ReplayBuffer, WorksWithoutAGoal) {
  EnvSpec spec = script_spec(5);
  spec.goal = {};
  ReplayBuffer buffer(spec, {.buffer_size = 5}, 1);
  StepBatch step = Script(script_spec(5), 1).next();
  for (ObsBatch* obs : {&step.before, &step.after}) {
    obs->achieved.resize(0, 1);
    obs->desired.resize(0, 1);
  }
  buffer.add(step);
  Batch batch(spec, 1, kGamma);
  buffer.copy({0, 0}, 0, batch);
  EXPECT_EQ(batch.s, matrix({{0}, {0}, {0}}));
  EXPECT_EQ(batch.s2, matrix({{0}, {0}, {1}}));
}

TEST(ReplayBuffer, EndsAnEpisodeBeforeAnUnstableStep) {
  const EnvSpec spec = script_spec(20);
  ReplayBuffer buffer(spec, {.buffer_size = 40}, 1);
  Script script(spec, 1);
  const auto unstable = [&] {
    StepBatch step = script.next();
    step.terminated[0] = 0;
    step.truncated[0] = 1;
    step.unstable = {1};
    return step;
  };
  buffer.add(unstable());  // the first step of an episode: there is none
  EXPECT_EQ(buffer.size(), 0);
  EXPECT_EQ(buffer.finished_size(), 0);
  for (int t = 0; t < 3; ++t) {
    StepBatch step = script.next();
    step.terminated[0] = step.truncated[0] = 0;
    buffer.add(step);
  }
  EXPECT_EQ(buffer.finished_size(), 0);
  buffer.add(unstable());
  EXPECT_EQ(buffer.size(), 3);
  EXPECT_EQ(buffer.finished_size(), 3);
  EXPECT_EQ(buffer.episode_begin({0, 2}), 0);
  EXPECT_EQ(buffer.episode_end({0, 0}), 3);
  Batch batch(spec, 1, kGamma);
  buffer.copy({0, 2}, 0, batch);
  EXPECT_EQ(batch.discount(0, 0), kGamma);
  ReplayBuffer restored(spec, {.buffer_size = 40}, 1);
  restore(restored, snapshot(buffer));
  EXPECT_EQ(restored.finished_size(), 3);
}

TEST(ReplayBuffer, RefusesACapacityBelowOneEpisodePerLane) {
  EXPECT_THROW_MESSAGE(
      ReplayBuffer(script_spec(50), {.buffer_size = 149}, 3), std::invalid_argument,
      "ReplayBuffer: buffer_size = 149 over 3 parallel environments holds no whole episode of 50 steps; expected at "
      "least 150");
  EXPECT_NO_THROW(ReplayBuffer(script_spec(50), {.buffer_size = 150}, 3));
}

TEST(ReplayBuffer, RefusesAStepOfAnotherNumberOfLanes) {
  const EnvSpec spec = script_spec(5);
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 2);
  EXPECT_THROW_MESSAGE(buffer.add(Script(spec, 3).next()), std::invalid_argument,
                       "ReplayBuffer::add: the step has 3 environments; expected 2");
}

TEST(UniformSampler, RefusesAnEmptyBuffer) {
  const EnvSpec spec = script_spec(5);
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 1);
  Batch batch(spec, 2, kGamma);
  Rng rng(1);
  EXPECT_THROW_MESSAGE(UniformSampler(buffer).sample(rng, batch), std::logic_error, "the replay buffer is empty");
  EXPECT_FALSE(UniformSampler(buffer).ready(1));
}

}  // namespace
}  // namespace goalpost::test
