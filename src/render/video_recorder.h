// Episodes as videos and images.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "algos/agent.h"
#include "envs/scene.h"
#include "envs/vector_env.h"
#include "render/frame.h"
#include "render/renderer.h"

namespace goalpost {

enum class View : int { overview, top, follow };
inline constexpr std::array kViewNames = {"overview", "top", "follow"};

/// How episodes are shown.
struct VideoConfig {
  int width = 640, height = 480;  ///< pixels of one episode's frame
  int every = 0;                  ///< steps between two frames; 0: so many that there are at most 30 frames per second
  bool trail = false;             ///< dots where goals were achieved so far, and at the sub-goals of the episode
  View view = View::overview;
  std::optional<double> azimuth = {}, elevation = {}, distance = {};  ///< degrees, degrees, m; in place of the view's
};

/// Turns the camera of a scene as asked for.
void aim(Scene& scene, const VideoConfig& c);

/// Steps between two frames, and frames per second of video: a second of video is one of simulated time. A task
/// without time has two steps per second.
struct FrameTiming {
  int every;
  double fps;
};
FrameTiming frame_timing(const EnvSpec& spec, int every);

/// Where actions come from.
struct ActionSource {
  std::function<const StepBatch*(VectorEnv&)> step;  ///< steps all lanes; nullptr: there are no actions left
  /// After a step: as SubgoalSource::subgoal (algos/subgoal_source.h); empty if no sub-goals are set.
  std::function<void(Index lane, VectorRef obs)> subgoal = {};
};
ActionSource action_source(Agent& agent);

/// How many episodes ended, and how.
struct EpisodeCounts {
  int episodes = 0, successes = 0;
  std::int64_t steps = 0;  ///< of all lanes together
};

/// Runs episodes and hands out frames of them; those of several lanes lie side by side. A lane runs its share of the
/// episodes; after that its last frame stays.
class VideoRecorder {
 public:
  using OnFrame = std::function<void(const Frame&, int times)>;  ///< with how often it is to be shown
  using Stop = std::function<bool(const EpisodeCounts&)>;        ///< asked between steps; what there is stays

  /// @throws as Renderer
  VideoRecorder(const EnvSpec& spec, const VideoConfig& config, int lanes);
  int width() const { return frame_.width; }
  int height() const { return frame_.height; }
  FrameTiming timing() const { return timing_; }

  /// From the start of the episodes to the last one's end, which is shown for a second.
  /// @throws UsageError if the environment is not Drawable (envs/drawable.h)
  EpisodeCounts record(VectorEnv& env, const ActionSource& source, int episodes, const OnFrame& on_frame,
                       const Stop& stop);
  /// Only the last frame of it, or the one after `step` steps.
  EpisodeCounts record_last_frame(VectorEnv& env, const ActionSource& source, int episodes, std::optional<int> step,
                                  const OnFrame& on_frame, const Stop& stop);

  std::string note = {};  ///< a line above the others, e.g. of which policy this is

 private:
  struct Lane {
    int episodes = 0, successes = 0, share = 0;  // ended; of them with success; to run
    bool over = false;                           // the share is done
    // Of the running episode:
    std::int64_t step = 0;
    double reward = 0, total = 0;         // of the last step; so far
    bool success = false, drawn = false;  // of the last step; it is in the frame
    std::vector<Vector> trail = {}, subgoals = {};
  };

  EpisodeCounts run(VectorEnv& env, const ActionSource& source, int episodes, bool last_only,
                    std::optional<int> last_step, const OnFrame& on_frame, const Stop& stop);
  Scene scene_of(int lane, const Env& env, const ActionSource& source);
  void draw(int lane, const Scene& scene, const std::string& outcome);
  void place(int lane, const Frame& tile);

  EnvSpec spec_;
  VideoConfig c_;
  FrameTiming timing_;
  Renderer renderer_;
  int columns_, rows_;
  Frame frame_;
  std::vector<Lane> lanes_;
};

/// Writes the policy's next episode in an environment of one lane to a video file.
/// @throws as VideoWriter and VideoRecorder
EpisodeCounts record_episode(VideoRecorder& recorder, Agent& agent, VectorEnv& env, const std::filesystem::path& file,
                             const std::function<bool()>& stop);

}  // namespace goalpost
