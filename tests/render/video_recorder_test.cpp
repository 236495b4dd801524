// From episodes to videos.
#include "render/video_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "algos/hiro/hiro.h"
#include "core/check.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/goal_task.h"
#include "render/relabeled_goals.h"
#include "run/fixed_policy.h"
#include "run/runner.h"
#include "run/video_callback.h"
#include "storage/csv.h"
#include "support/pixel.h"
#include "support/read_video.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// ---- episodes -------------------------------------------------------------------------------------------------------

EnvSpec with_dt(double dt) {
  EnvSpec s = make_point_reach()->spec();
  s.dt = dt;
  return s;
}

TEST(FrameTiming, ShowsASecondInASecond) {
  for (const double dt : {0.001, 0.01, 0.02, 0.04, 0.05, 0.1, 1.})
    for (const int every : {0, 1, 3}) {
      const FrameTiming timing = frame_timing(with_dt(dt), every);
      EXPECT_NEAR(timing.fps * timing.every * dt, 1, 1e-9);
      EXPECT_TRUE(every == 0 ? timing.fps <= 30 + 1e-6 : timing.every == every) << dt << ", " << every;
    }
  EXPECT_EQ(frame_timing(with_dt(0.04), 0).every, 1);
  EXPECT_EQ(frame_timing(with_dt(0.01), 0).every, 4);
  EXPECT_EQ(frame_timing(with_dt(0), 0).fps, 2);
}

struct Shown {
  std::vector<Frame> frames;
  std::vector<int> times;
  EpisodeCounts counts;
};

// Flips bit 0 for ever.
ActionSource flipping() {
  return {.step = [](VectorEnv& env) { return &env.step(Matrix::Zero(1, env.lanes())); }};
}

Shown record(VectorEnv& env, int episodes, VideoConfig c = {.width = 64, .height = 48}) {
  VideoRecorder recorder(env.spec(), c, env.lanes());
  Shown s;
  s.counts = recorder.record(
      env, flipping(), episodes,
      [&](const Frame& p, int times) {
        s.frames.push_back(p);
        s.times.push_back(times);
      },
      [](const EpisodeCounts&) { return false; });
  return s;
}

EnvFactory bits(int n) {
  return [=] { return make_bit_flip({.bits = n, .ends_at_goal = true}); };
}

TEST(VideoRecorder, ShowsEveryEpisodeFromItsStartToItsEnd) {
  VectorEnv env(bits(3), 1, Rng(5));
  const Shown s = record(env, 4);
  EXPECT_EQ(s.counts.episodes, 4);
  EXPECT_EQ(static_cast<int>(s.frames.size()), s.counts.steps + 4);                       // and the starts
  EXPECT_EQ(std::accumulate(s.times.begin(), s.times.end(), 0), s.counts.steps + 4 + 4);  // ends are shown twice
  EXPECT_EQ(s.times.back(), 2);
  for (std::size_t i = 1; i < s.frames.size(); ++i) EXPECT_NE(s.frames[i].rgb, s.frames[i - 1].rgb) << i;
}

Frame tile(const Frame& p, int column, int row, int width, int height) {
  Frame t(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < 3 * width; ++x)
      t.rgb[3 * y * width + x] = p.rgb[3 * ((row * height + y) * p.width + column * width) + x];
  return t;
}

TEST(VideoRecorder, LaysEpisodesSideBySideAndKeepsTheEndsOfThoseThatAreOver) {
  VectorEnv env(bits(1), 3, Rng(5));  // one bit: each episode takes one step
  const Shown one = record(env, 3);
  ASSERT_EQ(one.frames.size(), 2u);
  EXPECT_EQ(one.frames[0].width, 128);
  EXPECT_EQ(one.frames[0].height, 96);
  EXPECT_EQ(one.counts.successes, 3);
  EXPECT_EQ(at(one.frames[1], 127, 95).r, 255) << "there is no fourth";

  // Of two bits an episode ends at once if it begins one flip away from its goal, else with its time.
  VectorEnv two(bits(2), 8, Rng(2));
  const Shown s = record(two, 8);
  EXPECT_EQ(s.counts.episodes, 8);
  ASSERT_GE(s.counts.successes, 1);
  ASSERT_LT(s.counts.successes, 8);
  ASSERT_EQ(s.frames.size(), 3u);
  int frozen = 0;
  for (int i = 0; i < 8; ++i)
    frozen += tile(s.frames[1], i % 3, i / 3, 64, 48).rgb == tile(s.frames[2], i % 3, i / 3, 64, 48).rgb;
  EXPECT_EQ(frozen, s.counts.successes);
}

TEST(VideoRecorder, EndsWhereItIsStopped) {
  VectorEnv env(bits(6), 1, Rng(5));
  VideoRecorder recorder(env.spec(), {.width = 64, .height = 48}, 1);
  int shown = 0, last = 0;
  recorder.record(
      env, flipping(), 3, [&](const Frame&, int times) { shown += 1, last = times; },
      [](const EpisodeCounts& o) { return o.steps == 2; });
  EXPECT_EQ(shown, 3);
  const auto never = [](const EpisodeCounts&) { return false; };
  shown = 0;
  recorder.record_last_frame(
      env, flipping(), 1, 2, [&](const Frame&, int times) { shown += times; }, never);
  EXPECT_EQ(shown, 1);
}

TEST(VideoRecorder, StoppedWithAnEpisodeItEndsWithTheEpisode) {
  const auto stop = [](const EpisodeCounts& o) { return o.steps == 2; };  // both bits were flipped: the time is up
  std::vector<int> times;
  Frame video_end, image;
  {
    VectorEnv env([] { return make_bit_flip({.bits = 2, .ends_at_goal = false}); }, 1, Rng(5));
    VideoRecorder recorder(env.spec(), {.width = 64, .height = 48}, 1);
    recorder.record(
        env, flipping(), 3, [&](const Frame& p, int t) { times.push_back(t), video_end = p; }, stop);
  }
  EXPECT_THAT(times, ElementsAre(1, 1, 2));
  VectorEnv env([] { return make_bit_flip({.bits = 2, .ends_at_goal = false}); }, 1, Rng(5));
  VideoRecorder recorder(env.spec(), {.width = 64, .height = 48}, 1);
  recorder.record_last_frame(
      env, flipping(), 3, {}, [&](const Frame& p, int) { image = p; }, stop);
  EXPECT_EQ(image.rgb, video_end.rgb);
}

TEST(VideoRecorder, ShowsEverySoManySteps) {
  VectorEnv env([] { return make_pendulum(); }, 1, Rng(5));
  VideoConfig c{.width = 64, .height = 48, .every = 50};
  VideoRecorder recorder(env.spec(), c, 1);
  std::vector<int> times;
  const ActionSource source{.step = [](VectorEnv& e) { return &e.step(Matrix::Zero(1, 1)); }};
  recorder.record(
      env, source, 1, [&](const Frame&, int t) { times.push_back(t); }, [](const EpisodeCounts&) { return false; });
  EXPECT_THAT(times, ElementsAre(1, 1, 1, 1, 1));
}

// Does not implement Drawable.
class Undrawn final : public Env {
 public:
  const EnvSpec& spec() const override { return env_->spec(); }
  void reset(Rng& rng) override { env_->reset(rng); }
  StepResult step(ActionRef action) override { return env_->step(action); }
  void observe(ObsOut out) const override { env_->observe(out); }
  void visit_state(StateVisitor& v) override { env_->visit_state(v); }

 private:
  std::unique_ptr<Env> env_ = make_point_reach();
};

TEST(VideoRecorder, RefusesAnEnvironmentThatIsNotDrawable) {
  const char* sentence =
      "PointReach-v0 cannot be rendered: the environment does not implement Drawable (envs/drawable.h)";
  const EnvFactory undrawn = [] { return std::make_unique<Undrawn>(); };
  VectorEnv env(undrawn, 1, Rng(5));
  EXPECT_EQ(message_of<UsageError>([&] { record(env, 1); }), sentence);
  VectorEnv task(with_goal_task(undrawn, {.max_steps = 7}, Rng(5)), 1, Rng(5));
  EXPECT_EQ(message_of<UsageError>([&] { record(task, 1); }), sentence);
  EXPECT_EQ(message_of<UsageError>([&] {
              relabeled_scene(env, flipping(), 1, 1, HerConfig{}, Rng(5), [](const EpisodeCounts&) { return false; });
            }),
            sentence);

  const std::unique_ptr<Agent> agent = make_random_policy(env.spec(), Rng(5));
  const std::string problem = message_of<UsageError>([&] { VideoCallback(undrawn, *agent, 100, Rng(5), {}); });
  EXPECT_EQ(problem, "train.video_every = 100, but " + std::string(sentence) + "; expected 0");
}

TEST(ActionSource, HasTheSubgoalsOfAnAgentThatSetsThem) {
  VectorEnv env(make_point_reach, 1, Rng(5));
  const std::unique_ptr<Agent> random = make_random_policy(env.spec(), Rng(5));
  EXPECT_FALSE(action_source(*random).subgoal);
  HiroConfig config;
  config.subgoal = {.dims = {0, 1}, .limits = {0.5, 0.5}};  // the position
  Hiro hiro(env.spec(), config, 0, Rng(5));
  const ActionSource source = action_source(hiro);
  ASSERT_TRUE(source.subgoal);
  source.step(env);
  Vector subgoal(env.spec().obs_dim);
  source.subgoal(0, subgoal);
  EXPECT_EQ(Matrix(subgoal.head(2)), Matrix(hiro.points(Mode::exploit).col(0)));
  EXPECT_TRUE(subgoal.tail(2).array().isNaN().all()) << "no velocity is asked for";
}

// ---- training -------------------------------------------------------------------------------------------------------

struct Case {
  const char *name, *experiment;
  std::vector<std::string> set;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class TrainingWithVideos : public testing::TestWithParam<Case> {};

TEST_P(TrainingWithVideos, HasTheBitsOfTrainingWithoutVideos) {
  const TemporaryDirectory here;
  const auto train = [&](const char* directory, int video_every) {
    TomlValues values = load_experiment(GetParam().experiment);
    for (const std::string& s : GetParam().set) values.set(s);
    for (const char* s : {"train.eval_every=100", "train.eval_episodes=3", "train.final_eval_episodes=3",
                          "train.total_steps=400", "train.stop_success=0"})
      values.set(s);
    values.set("train.video_every=" + std::to_string(video_every));
    Experiment e = make_experiment(values);
    ASSERT_TRUE(train_in_directory(e, here / directory));
  };
  train("without", 0);
  train("with", 200);
  const CsvTable a = read_csv(here / "without/eval.csv"), b = read_csv(here / "with/eval.csv");
  ASSERT_GE(a.rows(), 4u);
  for (const std::string& name : a.names) {
    if (name == "wall_seconds") continue;
    EXPECT_EQ(a.column(name), b.column(name)) << name;
  }
  EXPECT_TRUE(content(here / "without/policy.h5") == content(here / "with/policy.h5"));
  EXPECT_FALSE(std::filesystem::exists(here / "without/videos"));
  int videos = 0;
  for (const auto& entry : std::filesystem::directory_iterator(here / "with/videos")) {
    EXPECT_GT(read_video(entry.path()).frames, 2) << entry.path();
    ++videos;
  }
  EXPECT_EQ(videos, 3);
  EXPECT_TRUE(std::filesystem::exists(here / "with/videos/step_0.mp4"));
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, TrainingWithVideos,
    testing::Values(
        Case{"dqn",
             "bit_flip_her",
             {"env.bits=6", "train.num_envs=4", "train.learning_starts=64", "agent.batch_size=16",
              "agent.replay.buffer_size=400", "agent.dqn.q.hidden=[16]"}},
        Case{"sac",
             "fetch_reach_sac",
             {"train.num_envs=2", "env.task.max_steps=10", "train.learning_starts=200", "train.updates_per_step=0.1",
              "agent.batch_size=16", "agent.sac.pi.hidden=[16]", "agent.sac.q.hidden=[16]"}},
        Case{"hiro", "point_reach_hiro", {"train.num_envs=2", "env.task.max_steps=10", "train.learning_starts=100"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace goalpost
