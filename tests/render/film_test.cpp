// From a scene to a picture, from pictures to files, from episodes to films.
#include "render/film.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/check.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/registry.h"
#include "render/video.h"
#include "run/runner.h"
#include "storage/csv.h"
#include "support/temporary_directory.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace goalpost {
namespace {

using Eigen::Vector3d;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// ---- pictures -------------------------------------------------------------------------------------------------------

struct Point {
  int r, g, b;
  bool red() const { return r > 100 && g < r / 3 && b < r / 3; }
  bool blue() const { return b > 100 && r < b / 3; }
};

Point at(const Picture& p, int x, int y) {
  const std::size_t i =
      3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(p.width) + static_cast<std::size_t>(x));
  return {p.rgb[i], p.rgb[i + 1], p.rgb[i + 2]};
}

// Where a camera sees a point: column and row from the upper left corner.
std::array<int, 2> seen_at(const Camera& c, const Vector3d& point, const Picture& p) {
  const double a = c.azimuth * std::numbers::pi / 180, e = c.elevation * std::numbers::pi / 180;
  const Vector3d forward(std::cos(e) * std::cos(a), std::cos(e) * std::sin(a), std::sin(e));
  const Vector3d right(std::sin(a), -std::cos(a), 0), up = right.cross(forward);
  const Vector3d way = point - (c.look_at - c.distance * forward);
  const double scale = p.height / 2. / std::tan(std::numbers::pi / 8) / way.dot(forward);
  return {static_cast<int>(std::lround(p.width / 2. + scale * way.dot(right))),
          static_cast<int>(std::lround(p.height / 2. - scale * way.dot(up)))};
}

const Color kRed{1, 0, 0, 1}, kBlue{0, 0, 1, 1};

TEST(Renderer, DrawsABoxWhereTheCameraSeesIt) {
  Renderer renderer(160, 120);
  Scene scene;
  scene.add(Shape::Kind::box, {0.1, 0.1, 0.1}, {0.5, 0.2, 0.6}, kRed);     // to the right and above
  scene.add(Shape::Kind::sphere, {0.1, 0, 0}, {-0.7, -0.1, -0.5}, kBlue);  // to the left and below
  scene.camera = {.look_at = {0.1, 0, 0.1}, .distance = 3, .azimuth = 80, .elevation = -15};
  const Picture picture = renderer.draw(scene);
  ASSERT_EQ(picture.width, 160);
  ASSERT_EQ(picture.height, 120);
  const auto [x, y] = seen_at(scene.camera, {0.5, 0.2, 0.6}, picture);
  EXPECT_GT(x, 80);
  EXPECT_LT(y, 60);
  EXPECT_TRUE(at(picture, x, y).red());
  const auto [u, v] = seen_at(scene.camera, {-0.7, -0.1, -0.5}, picture);
  EXPECT_TRUE(at(picture, u, v).blue());
  EXPECT_FALSE(at(picture, 2, 2).red() || at(picture, 2, 2).blue());
}

TEST(Renderer, DrawsCapsulesAndArrowsToTheirEnds) {
  Renderer renderer(160, 120);
  for (const Shape::Kind kind : {Shape::Kind::capsule, Shape::Kind::cylinder, Shape::Kind::arrow}) {
    Scene scene;
    const Vector3d from(-0.6, 0, -0.5), to(0.7, 0, 0.6), way = to - from;
    scene.connect(kind, 0.06, from, to, kRed);
    scene.camera = {.look_at = {0, 0, 0}, .distance = 3, .azimuth = 90, .elevation = 0};
    const Picture picture = renderer.draw(scene);
    for (const double part : {0.05, 0.5, 0.93}) {
      const auto [x, y] = seen_at(scene.camera, from + part * way, picture);
      EXPECT_TRUE(at(picture, x, y).red()) << static_cast<int>(kind) << " at " << part;
    }
    for (const double part : {-0.15, 1.15}) {
      const auto [x, y] = seen_at(scene.camera, from + part * way, picture);
      EXPECT_FALSE(at(picture, x, y).red()) << static_cast<int>(kind) << " at " << part;
    }
  }
}

TEST(Renderer, RepeatsItselfAlsoBesideAnother) {
  Renderer one(64, 48), other(80, 64);
  Scene scene;
  for (int i = 0; i < 300; ++i)
    scene.add(Shape::Kind::box, {0.05, 0.05, 0.05}, {0.1 * (i % 20) - 1, 0.1 * (i / 20.) - 1, 0}, kRed);
  const Picture first = one.draw(scene, "title", "caption");
  EXPECT_EQ(other.draw(scene).width, 80);
  EXPECT_EQ(one.draw(scene, "title", "caption").rgb, first.rgb);
  EXPECT_NE(one.draw(scene, "another", "caption").rgb, first.rgb);
}

TEST(Renderer, RefusesAnEmptyPicture) { EXPECT_THROW(Renderer(0, 10), std::invalid_argument); }

// ---- files ----------------------------------------------------------------------------------------------------------

struct ReadFilm {
  int width = 0, height = 0, frames = 0;
  double rate = 0;
  std::vector<Picture> first;  // of a still: its points
};

// @throws std::runtime_error if it cannot be read to its end
ReadFilm read_film(const std::filesystem::path& file) {
  const auto need = [&](bool ok, const char* what) {
    if (!ok) throw std::runtime_error(file.string() + ": " + what);
  };
  ReadFilm film;
  AVFormatContext* format = nullptr;
  need(avformat_open_input(&format, file.c_str(), nullptr, nullptr) == 0, "open");
  need(avformat_find_stream_info(format, nullptr) >= 0 && format->nb_streams == 1, "stream");
  const AVStream* stream = format->streams[0];
  const AVCodec* codec = avcodec_find_decoder(stream->codecpar->codec_id);
  AVCodecContext* decoder = avcodec_alloc_context3(codec);
  avcodec_parameters_to_context(decoder, stream->codecpar);
  need(avcodec_open2(decoder, codec, nullptr) == 0, "decoder");
  AVPacket* packet = av_packet_alloc();
  AVFrame* frame = av_frame_alloc();
  film.rate = av_q2d(stream->avg_frame_rate);
  for (bool more = true; more;) {
    more = av_read_frame(format, packet) == 0;
    need(avcodec_send_packet(decoder, more ? packet : nullptr) == 0, "decode");
    av_packet_unref(packet);
    while (avcodec_receive_frame(decoder, frame) == 0) {
      ++film.frames;
      film.width = frame->width;
      film.height = frame->height;
      if (frame->format != AV_PIX_FMT_RGB24) continue;
      Picture p(frame->width, frame->height);
      for (int y = 0; y < p.height; ++y)
        std::copy_n(frame->data[0] + y * frame->linesize[0], 3 * p.width, p.rgb.begin() + 3 * y * p.width);
      film.first.push_back(std::move(p));
    }
  }
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&decoder);
  avformat_close_input(&format);
  return film;
}

Picture gradient(int width, int height, int shift) {
  Picture p(width, height);
  for (std::size_t i = 0; i < p.rgb.size(); ++i) p.rgb[i] = static_cast<std::uint8_t>((i / 3 + i % 3 * 50) * 2 + shift);
  return p;
}

void write_film(const std::filesystem::path& file, int pictures, double rate = 25) {
  FilmWriter film(file, 97, 64, rate);
  for (int i = 0; i < pictures; ++i) film.add(gradient(97, 64, 3 * i), i == 0 ? 2 : 1);
  film.finish();
}

TEST(FilmWriter, WritesAFilmThatCanBeReadAndRepeated) {
  const TemporaryDirectory here;
  write_film(here / "a.mp4", 30);
  write_film(here / "b.mp4", 30);
  EXPECT_TRUE(content(here / "a.mp4") == content(here / "b.mp4"));
  const ReadFilm film = read_film(here / "a.mp4");
  EXPECT_EQ(film.frames, 31);
  EXPECT_EQ(film.width, 96);
  EXPECT_EQ(film.height, 64);
  EXPECT_NEAR(film.rate, 25, 1e-6);
  write_film(here / "slow.mp4", 3, 0.5);
  EXPECT_NEAR(read_film(here / "slow.mp4").rate, 0.5, 1e-6);
}

TEST(FilmWriter, LeavesNothingBehindWhenItIsNotFinished) {
  const TemporaryDirectory here;
  {
    FilmWriter film(here / "a.mp4", 32, 32, 10);
    film.add(gradient(32, 32, 0));
  }
  EXPECT_TRUE(std::filesystem::is_empty(here.path()));
}

TEST(FilmWriter, SaysWhichFileCannotBeWritten) {
  const TemporaryDirectory here;
  const auto refusal = [](auto f) { return message_of<UsageError>(f); };
  EXPECT_THAT(refusal([&] { FilmWriter(here / "no/a.mp4", 32, 32, 10); }),
              AllOf(HasSubstr("no/a.mp4"), HasSubstr("No such file")));
  EXPECT_THAT(refusal([&] { FilmWriter(here / "a.mp4", 1, 32, 10); }), HasSubstr("1 x 32 points"));
  EXPECT_THROW(FilmWriter(here / "a.mp4", 32, 32, 0), std::invalid_argument);
  FilmWriter film(here / "a.mp4", 32, 32, 10);
  EXPECT_THROW(film.add(gradient(64, 32, 0)), std::invalid_argument);
  EXPECT_THAT(refusal([] { format_of("film.gif"); }), AllOf(HasSubstr("\".gif\""), HasSubstr(".mp4")));
  EXPECT_EQ(format_of("a.png"), PictureFormat::still);
}

TEST(FilmWriter, SaysWhenTheDiskIsFullAndLeavesWhatWasThere) {
  const TemporaryDirectory here;
  set_content(here / "a.mp4", "older");
  {
    const FileSizeLimit limit(1000);
    EXPECT_THAT(message_of<std::runtime_error>([&] { write_film(here / "a.mp4", 30); }),
                AllOf(HasSubstr("a.mp4"), HasSubstr("File too large")));
  }
  EXPECT_EQ(content(here / "a.mp4"), "older");
  EXPECT_FALSE(std::filesystem::exists(here / "a.mp4.tmp"));
}

TEST(Still, KeepsEveryPoint) {
  const TemporaryDirectory here;
  const Picture picture = gradient(61, 33, 7);
  write_still(here / "a.png", picture);
  const ReadFilm read = read_film(here / "a.png");
  ASSERT_EQ(read.first.size(), 1u);
  EXPECT_EQ(read.first[0].rgb, picture.rgb);
  EXPECT_THROW(write_still(here / "no/a.png", picture), std::runtime_error);
}

// ---- episodes -------------------------------------------------------------------------------------------------------

EnvSpec with_dt(double dt) {
  EnvSpec s = make_point_reach()->spec();
  s.dt = dt;
  return s;
}

TEST(FilmPace, ShowsASecondInASecond) {
  for (const double dt : {0.001, 0.01, 0.02, 0.04, 0.05, 0.1, 1.})
    for (const int every : {0, 1, 3}) {
      const FilmPace pace = film_pace(with_dt(dt), every);
      EXPECT_NEAR(pace.rate * pace.every * dt, 1, 1e-9);
      EXPECT_TRUE(every == 0 ? pace.rate <= 30 + 1e-6 : pace.every == every) << dt << ", " << every;
    }
  EXPECT_EQ(film_pace(with_dt(0.04), 0).every, 1);
  EXPECT_EQ(film_pace(with_dt(0.01), 0).every, 4);
  EXPECT_EQ(film_pace(with_dt(0), 0).rate, 2);
}

struct Shown {
  std::vector<Picture> pictures;
  std::vector<int> times;
  FilmOutcome outcome;
};

// Flips bit 0 for ever.
FilmSource flipping() {
  return {.step = [](VectorEnv& env) { return &env.step(Matrix::Zero(1, env.lanes())); }};
}

Shown record(VectorEnv& env, int episodes, FilmConfig c = {.width = 64, .height = 48}) {
  Film film(env.spec(), c, env.lanes());
  Shown s;
  s.outcome = film.record(
      env, flipping(), episodes,
      [&](const Picture& p, int times) {
        s.pictures.push_back(p);
        s.times.push_back(times);
      },
      [](const FilmOutcome&) { return false; });
  return s;
}

EnvFactory bits(int n) {
  return [=] { return make_bit_flip({.bits = n, .ends_at_goal = true}); };
}

TEST(Film, ShowsEveryEpisodeFromItsStartToItsEnd) {
  VectorEnv env(bits(3), 1, Rng(5));
  const Shown s = record(env, 4);
  EXPECT_EQ(s.outcome.episodes, 4);
  EXPECT_EQ(static_cast<int>(s.pictures.size()), s.outcome.steps + 4);                     // and the starts
  EXPECT_EQ(std::accumulate(s.times.begin(), s.times.end(), 0), s.outcome.steps + 4 + 4);  // ends are shown twice
  EXPECT_EQ(s.times.back(), 2);
  for (std::size_t i = 1; i < s.pictures.size(); ++i) EXPECT_NE(s.pictures[i].rgb, s.pictures[i - 1].rgb) << i;
}

Picture tile(const Picture& p, int column, int row, int width, int height) {
  Picture t(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < 3 * width; ++x)
      t.rgb[static_cast<std::size_t>(3 * y * width + x)] =
          p.rgb[static_cast<std::size_t>(3 * ((row * height + y) * p.width + column * width) + x)];
  return t;
}

TEST(Film, LaysEpisodesSideBySideAndKeepsTheEndsOfThoseThatAreOver) {
  VectorEnv env(bits(1), 3, Rng(5));  // one bit: each episode takes one step
  const Shown one = record(env, 3);
  ASSERT_EQ(one.pictures.size(), 2u);
  EXPECT_EQ(one.pictures[0].width, 128);
  EXPECT_EQ(one.pictures[0].height, 96);
  EXPECT_EQ(one.outcome.successes, 3);
  EXPECT_EQ(at(one.pictures[1], 127, 95).r, 255) << "there is no fourth";

  // Of two bits an episode ends at once if it begins one flip away from its goal, else with its time.
  VectorEnv two(bits(2), 8, Rng(2));
  const Shown s = record(two, 8);
  EXPECT_EQ(s.outcome.episodes, 8);
  ASSERT_GE(s.outcome.successes, 1);
  ASSERT_LT(s.outcome.successes, 8);
  ASSERT_EQ(s.pictures.size(), 3u);
  int frozen = 0;
  for (int i = 0; i < 8; ++i)
    frozen += tile(s.pictures[1], i % 3, i / 3, 64, 48).rgb == tile(s.pictures[2], i % 3, i / 3, 64, 48).rgb;
  EXPECT_EQ(frozen, s.outcome.successes);
}

TEST(Film, EndsWhereItIsStopped) {
  VectorEnv env(bits(6), 1, Rng(5));
  Film film(env.spec(), {.width = 64, .height = 48}, 1);
  int shown = 0, last = 0;
  film.record(
      env, flipping(), 3, [&](const Picture&, int times) { shown += 1, last = times; },
      [](const FilmOutcome& o) { return o.steps == 2; });
  EXPECT_EQ(shown, 3);
  const auto never = [](const FilmOutcome&) { return false; };
  shown = 0;
  film.snap(
      env, flipping(), 1, 2, [&](const Picture&, int times) { shown += times; }, never);
  EXPECT_EQ(shown, 1);
}

TEST(Film, StoppedWithAnEpisodeItEndsWithTheEpisode) {
  const auto stop = [](const FilmOutcome& o) { return o.steps == 2; };  // both bits were flipped: the time is up
  std::vector<int> times;
  Picture film_end, still;
  {
    VectorEnv env([] { return make_bit_flip({.bits = 2, .ends_at_goal = false}); }, 1, Rng(5));
    Film film(env.spec(), {.width = 64, .height = 48}, 1);
    film.record(
        env, flipping(), 3, [&](const Picture& p, int t) { times.push_back(t), film_end = p; }, stop);
  }
  EXPECT_THAT(times, ElementsAre(1, 1, 2));
  VectorEnv env([] { return make_bit_flip({.bits = 2, .ends_at_goal = false}); }, 1, Rng(5));
  Film film(env.spec(), {.width = 64, .height = 48}, 1);
  film.snap(
      env, flipping(), 3, {}, [&](const Picture& p, int) { still = p; }, stop);
  EXPECT_EQ(still.rgb, film_end.rgb);
}

TEST(Film, ShowsEverySoManySteps) {
  VectorEnv env([] { return make_pendulum(); }, 1, Rng(5));
  FilmConfig c{.width = 64, .height = 48, .every = 50};
  Film film(env.spec(), c, 1);
  std::vector<int> times;
  const FilmSource source{.step = [](VectorEnv& e) { return &e.step(Matrix::Zero(1, 1)); }};
  film.record(
      env, source, 1, [&](const Picture&, int t) { times.push_back(t); }, [](const FilmOutcome&) { return false; });
  EXPECT_THAT(times, ElementsAre(1, 1, 1, 1, 1));
}

// Draws nothing.
class Unseen final : public Env {
 public:
  Unseen() : env_(make_pendulum()) {}
  const EnvSpec& spec() const override { return env_->spec(); }
  void reset(Rng& rng) override { env_->reset(rng); }
  StepResult step(ActionRef action) override { return env_->step(action); }
  void observe(ObsOut out) const override { env_->observe(out); }
  void visit_state(StateVisitor& v) override { env_->visit_state(v); }

 private:
  std::unique_ptr<Env> env_;
};

TEST(Film, RefusesWhatDoesNotDrawItself) {
  VectorEnv env([] { return std::make_unique<Unseen>(); }, 1, Rng(5));
  EXPECT_THAT(message_of<UsageError>([&] { record(env, 1); }), HasSubstr("Pendulum-v1 does not draw itself"));
}

// ---- training -------------------------------------------------------------------------------------------------------

struct Case {
  const char *name, *experiment;
  std::vector<std::string> set;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class FilmedTraining : public testing::TestWithParam<Case> {};

TEST_P(FilmedTraining, HasTheBitsOfTrainingWithoutFilms) {
  const TemporaryDirectory here;
  const auto train = [&](const char* directory, int film_every) {
    TomlValues values = load_experiment(GetParam().experiment);
    for (const std::string& s : GetParam().set) values.set(s);
    for (const char* s : {"train.eval_every=100", "train.eval_episodes=3", "train.final_eval_episodes=3",
                          "train.total_steps=400", "train.stop_success=0"})
      values.set(s);
    values.set("train.film_every=" + std::to_string(film_every));
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
  EXPECT_FALSE(std::filesystem::exists(here / "without/films"));
  int films = 0;
  for (const auto& entry : std::filesystem::directory_iterator(here / "with/films")) {
    EXPECT_GT(read_film(entry.path()).frames, 2) << entry.path();
    ++films;
  }
  EXPECT_EQ(films, 3);
  EXPECT_TRUE(std::filesystem::exists(here / "with/films/step_0.mp4"));
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, FilmedTraining,
    testing::Values(
        Case{"dqn",
             "bit_flip_her",
             {"env.bits=6", "train.lanes=4", "train.warmup_steps=64", "agent.batch_size=16",
              "agent.replay.capacity=400", "agent.dqn.q.hidden=[16]"}},
        Case{"sac",
             "fetch_reach_sac",
             {"train.lanes=2", "env.task.max_steps=10", "train.warmup_steps=200", "train.updates_per_step=0.1",
              "agent.batch_size=16", "agent.sac.pi.hidden=[16]", "agent.sac.q.hidden=[16]"}},
        Case{"hiro", "point_reach_hiro", {"train.lanes=2", "env.task.max_steps=10", "train.warmup_steps=100"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace goalpost
