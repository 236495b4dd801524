#include "render/film.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "render/video.h"

namespace goalpost {

FilmPace film_pace(const EnvSpec& spec, int every) {
  constexpr double kMostPerSecond = 30, kWithoutTime = 2;  // pictures
  if (spec.dt == 0) return {std::max(1, every), kWithoutTime / std::max(1, every)};
  if (every == 0) every = std::max(1, static_cast<int>(std::ceil(1 / (kMostPerSecond * spec.dt) - 1e-6)));
  return {every, 1 / (spec.dt * every)};
}

FilmSource film_source(Agent& agent) {
  return {.step =
              [&agent, action = Matrix()](VectorEnv& env) mutable {
                action.resize(env.spec().action.dim, env.lanes());
                agent.act(env.obs(), env.first(), Mode::exploit, action);
                return &env.step(action);
              },
          .subgoal = [&agent](Index lane, VectorRef obs) { return agent.subgoal(Mode::exploit, lane, obs); }};
}

void aim(Scene& scene, const FilmConfig& c) {
  Camera& camera = scene.camera;
  if (c.view == View::follow)
    camera = {.look_at = scene.subject,
              .distance = 4 * scene.subject_size,
              .azimuth = camera.azimuth,
              .elevation = std::max(camera.elevation, -35.)};
  if (c.view == View::top) camera.elevation = -90;
  camera.distance *= std::max(1., 4. / 3 * c.height / c.width);  // scenes are set up for pictures of 4:3
  camera.azimuth = c.azimuth.value_or(camera.azimuth);
  camera.elevation = c.elevation.value_or(camera.elevation);
  camera.distance = c.distance.value_or(camera.distance);
}

namespace {

// NaN is NaN here.
bool same_subgoal(const Vector& a, const Vector& b) {
  return a.size() == b.size() && (a.array() == b.array() || (a.array().isNaN() && b.array().isNaN())).all();
}

}  // namespace

Film::Film(const EnvSpec& spec, const FilmConfig& config, int lanes)
    : spec_(spec),
      c_(config),
      pace_(film_pace(spec, config.every)),
      renderer_(config.width, config.height),
      columns_(static_cast<int>(std::ceil(std::sqrt(lanes)))),
      rows_((lanes + columns_ - 1) / columns_),
      picture_(columns_ * config.width, rows_ * config.height),
      lanes_(static_cast<std::size_t>(lanes)) {
  constexpr int kMost = 8192;
  if (std::max(picture_.width, picture_.height) > kMost)
    throw UsageError(
        fmt::format("{} episodes side by side make a picture of {} x {} points; expected at most {} each "
                    "way",
                    lanes, picture_.width, picture_.height, kMost));
  std::fill(picture_.rgb.begin(), picture_.rgb.end(), std::uint8_t{255});
}

FilmOutcome Film::record(VectorEnv& env, const FilmSource& source, int episodes, const OnPicture& on_picture,
                         const Stop& stop) {
  return run(env, source, episodes, false, {}, on_picture, stop);
}

FilmOutcome Film::snap(VectorEnv& env, const FilmSource& source, int episodes, std::optional<int> step,
                       const OnPicture& on_picture, const Stop& stop) {
  return run(env, source, episodes, true, step, on_picture, stop);
}

Scene Film::scene_of(int lane, const Env& env, const FilmSource& source) {
  Scene scene;
  env.draw(scene);
  if (scene.shapes.empty())
    throw UsageError(fmt::format("{} does not draw itself, so that there is nothing to film", spec_.name));
  env.draw_goals(scene);
  const Lane& l = lanes_[static_cast<std::size_t>(lane)];
  for (const Vector& achieved : l.trail) env.draw_goal(achieved, GoalMark::trail, scene);
  for (const Vector& past : l.subgoals) env.draw_subgoal(past, GoalMark::past_subgoal, scene);
  Vector subgoal(spec_.obs_dim);
  if (source.subgoal && source.subgoal(lane, subgoal)) env.draw_subgoal(subgoal, GoalMark::subgoal, scene);
  aim(scene, c_);
  return scene;
}

void Film::draw(int lane, const Scene& scene, const std::string& outcome) {
  Lane& l = lanes_[static_cast<std::size_t>(lane)];
  std::string title = note.empty() ? "" : note + "\n";
  title += l.share > 1 ? fmt::format("episode {}, step {}", l.episodes + (outcome.empty() ? 1 : 0), l.step)
                       : fmt::format("step {}", l.step);
  title += fmt::format("\nreward {:.4g}, return {:.4g}", l.reward, l.total);
  std::string caption = !outcome.empty() ? outcome : l.success ? "at the goal" : "";
  if (l.share > 1 && spec_.goal.dim > 0 && l.episodes > 0)
    caption += fmt::format("{}{} of {} succeeded", caption.empty() ? "" : "\n", l.successes, l.episodes);
  place(lane, renderer_.draw(scene, title, caption));
}

void Film::place(int lane, const Picture& tile) {
  const int left = lane % columns_ * tile.width, top = lane / columns_ * tile.height;
  const std::size_t row = 3 * static_cast<std::size_t>(tile.width);
  for (int y = 0; y < tile.height; ++y)
    std::copy_n(tile.rgb.begin() + static_cast<std::ptrdiff_t>(row) * y, row,
                picture_.rgb.begin() + 3 * (static_cast<std::ptrdiff_t>(top + y) * picture_.width + left));
}

FilmOutcome Film::run(VectorEnv& env, const FilmSource& source, int episodes, bool still, std::optional<int> last_step,
                      const OnPicture& on_picture, const Stop& stop) {
  const int n = env.lanes();
  GP_CHECK(n == static_cast<int>(lanes_.size()), "Film: ", n, " lanes; expected ", lanes_.size());
  const auto lane = [&](int i) -> Lane& { return lanes_[static_cast<std::size_t>(i)]; };
  for (int i = 0; i < n; ++i) {
    lane(i) = Lane{};
    lane(i).share = episodes / n + (i < episodes % n ? 1 : 0);
    lane(i).over = lane(i).share == 0;
  }
  const auto draw_running = [&] {
    for (int i = 0; i < n; ++i)
      if (Lane& l = lane(i); !l.over && !l.drawn) {
        draw(i, scene_of(i, env.lane(i), l.step > 0 ? source : FilmSource{}), "");
        l.drawn = true;
      }
  };

  // An episode's end is looked at before the lane is restarted.
  std::vector<Scene> ends(lanes_.size());
  env.before_restart([&](int i, const Env& e) {
    if (!lane(i).over) ends[static_cast<std::size_t>(i)] = scene_of(i, e, source);
  });
  const struct Restore {
    VectorEnv& env;
    ~Restore() { env.before_restart({}); }
  } restore{env};

  FilmOutcome outcome;
  Vector subgoal(spec_.obs_dim);
  const int hold = std::max(1, static_cast<int>(std::lround(pace_.rate)));  // pictures of a second
  bool shown = false;                                                       // the last step
  if (!still) {
    draw_running();
    on_picture(picture_, 1);
  }
  bool stopped = stop(outcome);
  for (int tick = 1; !stopped && (!last_step || tick <= *last_step); ++tick) {
    const StepBatch* step = source.step(env);
    if (step == nullptr) break;
    bool ended = false;
    for (int i = 0; i < n; ++i) {
      Lane& l = lane(i);
      const auto k = static_cast<std::size_t>(i);
      if (l.over) continue;
      ++outcome.steps;
      ++l.step;
      l.reward = static_cast<double>(step->reward(0, i));
      l.total += l.reward;
      l.success = step->success[k] != 0;
      l.drawn = false;
      if (c_.trail && spec_.goal.dim > 0) l.trail.push_back(step->after.achieved.col(i));
      if (c_.trail && source.subgoal && source.subgoal(i, subgoal) &&
          (l.subgoals.empty() || !same_subgoal(l.subgoals.back(), subgoal)))
        l.subgoals.push_back(subgoal);
      if (!step->ended(k)) continue;
      ended = true;
      ++l.episodes;
      ++outcome.episodes;
      l.successes += l.success;
      outcome.successes += l.success;
      l.over = l.episodes == l.share;
      const char* how = l.success              ? "success"
                        : step->failed[k] != 0 ? "failed"
                        : spec_.goal.dim == 0  ? "over"
                                               : "time is up";
      draw(i, ends[k], how);
      l = {.episodes = l.episodes, .successes = l.successes, .share = l.share, .over = l.over};
      l.drawn = true;  // its end is seen until the next step
    }
    const bool done = std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.over; });
    shown = done || (ended && n == 1 && !still);
    if (shown && (done || !still)) on_picture(picture_, still ? 1 : hold);
    stopped = done || stop(outcome);
    if (stopped || still || (!shown && tick % pace_.every != 0)) continue;
    if (shown) lane(0).drawn = false;  // now the start of the next episode
    draw_running();
    on_picture(picture_, 1);
    shown = true;
  }
  if (still ? !shown : !shown && outcome.steps > 0) {
    draw_running();
    on_picture(picture_, still ? 1 : hold);
  }
  return outcome;
}

FilmOutcome film_episode(Film& film, Agent& agent, VectorEnv& env, const std::filesystem::path& file,
                         const std::function<bool()>& stop) {
  FilmWriter writer(file, film.width(), film.height(), film.pace().rate);
  const FilmOutcome outcome = film.record(
      env, film_source(agent), 1, [&](const Picture& p, int times) { writer.add(p, times); },
      [&](const FilmOutcome&) { return stop(); });
  writer.finish();
  return outcome;
}

}  // namespace goalpost
