// goalpost render: a trained policy, or an environment, as a video or an image.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "core/check.h"
#include "core/text.h"
#include "envs/drawable.h"
#include "render/relabeled_goals.h"
#include "render/video_recorder.h"
#include "render/video_writer.h"
#include "run/experiment.h"
#include "run/fixed_policy.h"
#include "run/policy_file.h"
#include "run/rollout_input.h"
#include "storage/file.h"

namespace goalpost {
namespace {

// What `goalpost render` is asked for.
struct RenderOptions {
  std::string what;               // run directory, policy.h5 or environment
  std::filesystem::path actions;  // CSV file with columns a0, a1, ...: one row per step
  bool random = false, scripted = false;
  int episodes = 0;  // 0: as many as tiles
  int tiles = 1;     // episodes side by side
  std::int64_t seed = 0;
  std::optional<int> step;  // of an image; none: the last
  int relabeled = 0;        // in place of the episodes: their goals, and those of this many relabeled transitions
  VideoConfig video;
  std::filesystem::path out;
  std::string env;               // another one than the policy was trained in
  std::vector<std::string> set;  // env.key=value
  bool quiet = false;
};

// With the same seed and one tile the episodes are those of `goalpost rollout`.
// @throws UsageError for a wrong option or file, or if there is no graphics library
void render(const RenderOptions& o) {
  const MediaFormat format = format_of(o.out);
  expect_new(o.out);
  if (o.step && format == MediaFormat::video)
    throw UsageError(
        fmt::format("--step {} is of an image, but {} is a video; expected a file .png", *o.step, o.out.string()));
  if (const std::string problem = renderer_problem(); !problem.empty()) throw UsageError(problem);

  if (o.relabeled > 0 && (format == MediaFormat::video || o.tiles > 1 || o.step || !o.actions.empty()))
    throw UsageError(
        "--relabeled is an image of goals; expected a file .png, and none of --tile, --step and --actions");

  EnvFactory make_env;
  std::unique_ptr<Agent> agent;
  HerConfig her;
  if (std::filesystem::is_directory(o.what) || std::filesystem::is_regular_file(o.what)) {
    if (o.random || o.scripted || !o.actions.empty())
      throw UsageError(fmt::format(
          "{} is a run, which acts by its policy; expected none of --random, --scripted and --actions", o.what));
    LoadedRun run = load_run(o.what, o.set, o.env);
    if (run.step && !o.quiet)
      print_error(fmt::format("goalpost: {}: the policy after {} environment steps of training", o.what, *run.step));
    make_env = run.experiment.eval_env_factory();
    agent = std::move(run.agent);
    if (const OffPolicyConfig* c = find_algorithm(run.experiment.algorithm).off_policy(*run.experiment.agent_settings);
        c != nullptr && c->her.strategy != HerStrategy::none)
      her = c->her;
  } else {
    if (!o.env.empty())
      throw UsageError("--env is for a trained policy; expected a run directory or policy.h5 with it");
    if (o.what.find('/') != std::string::npos)
      throw UsageError(fmt::format("{} is not a run directory: there is no such directory", o.what));
    make_env = make_environment(o.what, o.set, static_cast<std::uint64_t>(o.seed));
    if (o.random + o.scripted + !o.actions.empty() != 1)
      throw UsageError(
          fmt::format("{} is an environment; expected --random, --scripted or --actions FILE to act in it", o.what));
  }
  if (!o.actions.empty() && (o.tiles > 1 || o.episodes > 0))
    throw UsageError(
        "--actions are those of one environment from beginning to end; expected neither --tile nor "
        "--episodes");

  const Rng rng(static_cast<std::uint64_t>(o.seed));
  VectorEnv env(make_env, o.tiles, rng.stream("rollout"));
  const EnvSpec& spec = env.spec();
  if (const std::string problem = drawing_problem(env.lane(0)); !problem.empty()) throw UsageError(problem);
  if (o.relabeled > 0 && spec.goal.dim == 0)
    throw UsageError(fmt::format("--relabeled shows goals, but {} has none", spec.name));
  const int episodes = !o.actions.empty() ? std::numeric_limits<int>::max() : std::max(o.episodes, o.tiles);
  if (o.random) agent = make_random_policy(spec, rng.stream("action"));
  if (o.scripted) agent = make_scripted_policy(spec);
  ActionSource source;
  std::int64_t steps = 0;  // that there are, or at most
  if (agent) {
    source = action_source(*agent);
    steps = static_cast<std::int64_t>(episodes) * spec.max_steps;
  } else {
    const Eigen::MatrixXd actions = read_actions(o.actions, spec);
    steps = actions.cols();
    source.step = [actions, row = Index{0}](VectorEnv& e) mutable {
      return row == actions.cols() ? nullptr : &e.step_in_unit(actions.col(row++));
    };
  }

  Progress bar(o.out.filename().string(), steps, "step", {.quiet = o.quiet});
  const auto show = [&](const EpisodeCounts& so_far) {
    bar.update(so_far.steps, spec.goal.dim > 0 ? fmt::format("success={}/{}", so_far.successes, so_far.episodes)
                                               : fmt::format("episodes={}", so_far.episodes));
  };
  const VideoRecorder::Stop stop = [&](const EpisodeCounts& so_far) {
    show(so_far);
    return interrupted() || so_far.steps >= steps;
  };
  if (o.relabeled > 0) {
    Scene scene = relabeled_scene(env, source, episodes, o.relabeled, her, rng.stream("batch"), stop);
    aim(scene, o.video);
    write_image(o.out, Renderer(o.video.width, o.video.height).draw(scene));
    bar.end_here();
    bar.finish();
    return;
  }
  VideoRecorder recorder(spec, o.video, o.tiles);
  EpisodeCounts counts;
  if (format == MediaFormat::video) {
    VideoWriter writer(o.out, recorder.width(), recorder.height(), recorder.timing().fps);
    counts = recorder.record(
        env, source, episodes, [&](const Frame& frame, int times) { writer.add(frame, times); }, stop);
    writer.finish();
  } else {
    counts = recorder.record_last_frame(
        env, source, episodes, o.step, [&](const Frame& frame, int) { write_image(o.out, frame); }, stop);
  }
  show(counts);
  bar.end_here();
  bar.finish();
}

View find_view(const std::string& name) {
  return static_cast<View>(std::find(kViewNames.begin(), kViewNames.end(), name) - kViewNames.begin());
}

void parse_size(const std::string& text, VideoConfig& video) {
  constexpr int kMost = 4096;
  int end = 0;
  if (std::sscanf(text.c_str(), "%5dx%5d%n", &video.width, &video.height, &end) != 2 ||
      end != static_cast<int>(text.size()) || std::min(video.width, video.height) < 16 ||
      std::max(video.width, video.height) > kMost)
    throw UsageError(fmt::format("--size {}; expected WIDTHxHEIGHT, each 16 to {}, e.g. 640x480", text, kMost));
}

struct RenderCommandOptions {
  RenderOptions render;
  std::string size = "640x480";
};

}  // namespace

void add_render_command(CLI::App& app, int& status) {
  CLI::App* render_command =
      app.add_subcommand("render", "render a trained policy, or an environment, to a video or an image");
  const auto o = std::make_shared<RenderCommandOptions>();
  RenderOptions& p = o->render;
  render_command->add_option("WHAT", p.what, "run directory or policy.h5, or a name of `goalpost list envs`")
      ->required();
  render_command->add_option("--out", p.out, "the video (.mp4), or its last frame (.png); must be new")->required();
  CLI::Option* given = render_command->add_option(
      "--actions", p.actions, "CSV file, columns a0, a1, ..., one row per step, in the environment's unit");
  CLI::Option* at_random = render_command->add_flag("--random", p.random, "uniform random actions")->excludes(given);
  render_command->add_flag("--scripted", p.scripted, "the task's hand-written policy")
      ->excludes(given)
      ->excludes(at_random);
  render_command->add_option("--episodes", p.episodes, "how many; 0: one per tile")->transform(integer(0, kMostCount));
  render_command->add_option("--tile", p.tiles, "episodes side by side")->transform(integer(1, 100));
  render_command->add_option("--seed", p.seed, "random seed of resets and random actions, as of rollout")
      ->transform(integer(0, kMostSeed));
  render_command->add_option("--step", p.step, "of an image: the frame after this many steps")
      ->transform(integer(0, kMostCount));
  render_command->add_option("--every", p.video.every, "steps between two frames; 0: at most 30 frames per second")
      ->transform(integer(0, kMostCount));
  render_command->add_option("--size", o->size, "pixels of one tile, WIDTHxHEIGHT");
  render_command
      ->add_option_function<std::string>(
          "--camera", [o](const std::string& name) { o->render.video.view = find_view(name); },
          "overview, top or follow")
      ->check(CLI::IsMember(std::vector<std::string>(kViewNames.begin(), kViewNames.end())))
      ->default_str("overview");
  render_command->add_option("--azimuth", p.video.azimuth, "degrees, of the camera; 90 looks along +y")
      ->check(number());
  render_command->add_option("--elevation", p.video.elevation, "degrees; -90 looks straight down")->check(number());
  render_command->add_option("--distance", p.video.distance, "m, of the camera")->check(number(1e-6, 1e6));
  render_command->add_flag("--trail", p.video.trail, "dots where goals were achieved on the way, and at sub-goals");
  render_command
      ->add_option("--relabeled", p.relabeled,
                   "an image of the goals of the episodes (red), and of this many transitions relabeled by HER "
                   "(orange)")
      ->transform(integer(1, 10'000))
      ->default_str("");
  render_command->add_option("--env", p.env,
                             "another environment for the policy, with its default settings: one with the same "
                             "observations, goals and actions");
  add_set_option(*render_command, p.set, "an environment setting, e.g. env.bits=20");
  render_command->add_flag("--quiet", p.quiet, "no progress");
  render_command->callback([o, &status] {
    parse_size(o->size, o->render.video);
    catch_interrupts();
    render(o->render);
    status = interrupted() ? interrupt_status() : 0;
  });
}

}  // namespace goalpost
