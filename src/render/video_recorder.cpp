#include "render/video_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "algos/subgoal_source.h"
#include "core/check.h"
#include "envs/drawable.h"
#include "render/video_writer.h"

namespace goalpost {

FrameTiming frame_timing(const EnvSpec& spec, int every) {
  constexpr double kMostPerSecond = 30, kWithoutTime = 2;  // frames
  if (spec.dt == 0) return {std::max(1, every), kWithoutTime / std::max(1, every)};
  if (every == 0) every = std::max(1, static_cast<int>(std::ceil(1 / (kMostPerSecond * spec.dt) - 1e-6)));
  return {every, 1 / (spec.dt * every)};
}

ActionSource action_source(Agent& agent) {
  ActionSource source;
  source.step = [&agent, action = Matrix()](VectorEnv& env) mutable {
    action.resize(env.spec().action.dim, env.lanes());
    agent.act(env.obs(), env.first(), Mode::exploit, action);
    return &env.step(action);
  };
  if (const auto* subgoals = dynamic_cast<const SubgoalSource*>(&agent))
    source.subgoal = [subgoals](Index lane, VectorRef obs) { subgoals->subgoal(Mode::exploit, lane, obs); };
  return source;
}

void aim(Scene& scene, const VideoConfig& c) {
  Camera& camera = scene.camera;
  if (c.view == View::follow)
    camera = {.look_at = scene.subject,
              .distance = 4 * scene.subject_size,
              .azimuth = camera.azimuth,
              .elevation = std::max(camera.elevation, -35.)};
  if (c.view == View::top) camera.elevation = -90;
  camera.distance *= std::max(1., 4. / 3 * c.height / c.width);  // scenes are set up for frames of 4:3
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

VideoRecorder::VideoRecorder(const EnvSpec& spec, const VideoConfig& config, int lanes)
    : spec_(spec),
      c_(config),
      timing_(frame_timing(spec, config.every)),
      renderer_(config.width, config.height),
      columns_(static_cast<int>(std::ceil(std::sqrt(lanes)))),
      rows_((lanes + columns_ - 1) / columns_),
      frame_(columns_ * config.width, rows_ * config.height),
      lanes_(lanes) {
  constexpr int kMost = 8192;
  if (std::max(frame_.width, frame_.height) > kMost)
    throw UsageError(
        fmt::format("{} episodes side by side make a frame of {} x {} pixels; expected at most {} each way", lanes,
                    frame_.width, frame_.height, kMost));
  std::fill(frame_.rgb.begin(), frame_.rgb.end(), std::uint8_t{255});
}

EpisodeCounts VideoRecorder::record(VectorEnv& env, const ActionSource& source, int episodes, const OnFrame& on_frame,
                                    const Stop& stop) {
  return run(env, source, episodes, false, {}, on_frame, stop);
}

EpisodeCounts VideoRecorder::record_last_frame(VectorEnv& env, const ActionSource& source, int episodes,
                                               std::optional<int> step, const OnFrame& on_frame, const Stop& stop) {
  return run(env, source, episodes, true, step, on_frame, stop);
}

Scene VideoRecorder::scene_of(int lane, const Env& env, const ActionSource& source) {
  const Drawable& drawing = drawing_of(env);
  Scene scene;
  drawing.draw(scene);
  draw_goals(env, scene);
  const Lane& l = lanes_[lane];
  for (const Vector& achieved : l.trail) drawing.draw_goal(achieved, GoalMark::trail, scene);
  for (const Vector& past : l.subgoals) drawing.draw_subgoal(past, GoalMark::past_subgoal, scene);
  if (source.subgoal) {
    Vector subgoal(spec_.obs_dim);
    source.subgoal(lane, subgoal);
    drawing.draw_subgoal(subgoal, GoalMark::subgoal, scene);
  }
  aim(scene, c_);
  return scene;
}

void VideoRecorder::draw(int lane, const Scene& scene, const std::string& outcome) {
  Lane& l = lanes_[lane];
  std::string title = note.empty() ? "" : note + "\n";
  title += l.share > 1 ? fmt::format("episode {}, step {}", l.episodes + (outcome.empty() ? 1 : 0), l.step)
                       : fmt::format("step {}", l.step);
  title += fmt::format("\nreward {:.4g}, return {:.4g}", l.reward, l.total);
  std::string caption = !outcome.empty() ? outcome : l.success ? "at the goal" : "";
  if (l.share > 1 && spec_.goal.dim > 0 && l.episodes > 0)
    caption += fmt::format("{}{} of {} succeeded", caption.empty() ? "" : "\n", l.successes, l.episodes);
  place(lane, renderer_.draw(scene, title, caption));
}

void VideoRecorder::place(int lane, const Frame& tile) {
  const int left = lane % columns_ * tile.width, top = lane / columns_ * tile.height;
  const int row = 3 * tile.width;
  for (int y = 0; y < tile.height; ++y)
    std::copy_n(tile.rgb.begin() + std::ptrdiff_t{row} * y, row,
                frame_.rgb.begin() + 3 * (std::ptrdiff_t{top + y} * frame_.width + left));
}

EpisodeCounts VideoRecorder::run(VectorEnv& env, const ActionSource& source, int episodes, bool last_only,
                                 std::optional<int> last_step, const OnFrame& on_frame, const Stop& stop) {
  const int n = env.lanes();
  GP_CHECK(n == static_cast<int>(lanes_.size()), "VideoRecorder: ", n, " environments; expected ", lanes_.size());
  for (int i = 0; i < n; ++i) {
    lanes_[i] = Lane{};
    lanes_[i].share = episodes / n + (i < episodes % n ? 1 : 0);
    lanes_[i].over = lanes_[i].share == 0;
  }
  const auto draw_running = [&] {
    for (int i = 0; i < n; ++i)
      if (Lane& l = lanes_[i]; !l.over && !l.drawn) {
        draw(i, scene_of(i, env.lane(i), l.step > 0 ? source : ActionSource{}), "");
        l.drawn = true;
      }
  };

  // An episode's end is looked at before the lane is restarted.
  std::vector<Scene> ends(lanes_.size());
  env.before_restart([&](int i, const Env& e) {
    if (!lanes_[i].over) ends[i] = scene_of(i, e, source);
  });
  const struct Restore {
    VectorEnv& env;
    ~Restore() { env.before_restart({}); }
  } restore{env};

  EpisodeCounts counts;
  Vector subgoal(spec_.obs_dim);
  const int hold = std::max(1, static_cast<int>(std::lround(timing_.fps)));  // frames of a second
  bool shown = false;                                                        // the last step
  if (!last_only) {
    draw_running();
    on_frame(frame_, 1);
  }
  bool stopped = stop(counts);
  for (int tick = 1; !stopped && (!last_step || tick <= *last_step); ++tick) {
    const StepBatch* step = source.step(env);
    if (step == nullptr) break;
    bool ended = false;
    for (int i = 0; i < n; ++i) {
      Lane& l = lanes_[i];
      if (l.over) continue;
      ++counts.steps;
      ++l.step;
      l.reward = static_cast<double>(step->reward(0, i));
      l.total += l.reward;
      l.success = step->success[i] != 0;
      l.drawn = false;
      if (c_.trail && spec_.goal.dim > 0) l.trail.push_back(step->after.achieved.col(i));
      if (c_.trail && source.subgoal) {
        source.subgoal(i, subgoal);
        if (l.subgoals.empty() || !same_subgoal(l.subgoals.back(), subgoal)) l.subgoals.push_back(subgoal);
      }
      if (!step->ended(i)) continue;
      ended = true;
      ++l.episodes;
      ++counts.episodes;
      l.successes += l.success;
      counts.successes += l.success;
      l.over = l.episodes == l.share;
      const char* how = l.success              ? "success"
                        : step->failed[i] != 0 ? "failed"
                        : spec_.goal.dim == 0  ? "over"
                                               : "time is up";
      draw(i, ends[i], how);
      l = {.episodes = l.episodes, .successes = l.successes, .share = l.share, .over = l.over};
      l.drawn = true;  // its end is seen until the next step
    }
    const bool done = std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.over; });
    shown = done || (ended && n == 1 && !last_only);
    if (shown && (done || !last_only)) on_frame(frame_, last_only ? 1 : hold);
    stopped = done || stop(counts);
    if (stopped || last_only || (!shown && tick % timing_.every != 0)) continue;
    if (shown) lanes_[0].drawn = false;  // now the start of the next episode
    draw_running();
    on_frame(frame_, 1);
    shown = true;
  }
  if (last_only ? !shown : !shown && counts.steps > 0) {
    draw_running();
    on_frame(frame_, last_only ? 1 : hold);
  }
  return counts;
}

EpisodeCounts record_episode(VideoRecorder& recorder, Agent& agent, VectorEnv& env, const std::filesystem::path& file,
                             const std::function<bool()>& stop) {
  VideoWriter writer(file, recorder.width(), recorder.height(), recorder.timing().fps);
  const EpisodeCounts counts = recorder.record(
      env, action_source(agent), 1, [&](const Frame& frame, int times) { writer.add(frame, times); },
      [&](const EpisodeCounts&) { return stop(); });
  writer.finish();
  return counts;
}

}  // namespace goalpost
