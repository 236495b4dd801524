// Films and pictures of episodes.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "algos/agent.h"
#include "render/renderer.h"

namespace goalpost {

enum class View : int { overview, top, follow };
inline constexpr std::array kViewNames = {"overview", "top", "follow"};

/// How episodes are shown.
struct FilmConfig {
  int width = 640, height = 480;  ///< points of one episode's picture
  int every = 0;                  ///< steps between two pictures; 0: so many that there are at most 30 per second
  bool trail = false;             ///< dots where goals were achieved on the way, and at the sub-goals of the episode
  View view = View::overview;
  std::optional<double> azimuth = {}, elevation = {}, distance = {};  ///< degrees, degrees, m; in place of the view's
};

/// Turns the camera of a scene as asked for.
void aim(Scene& scene, const FilmConfig& c);

/// Steps between two pictures, and pictures per second of film: a second of film is one of simulated time. A task
/// without time has two steps per second.
struct FilmPace {
  int every;
  double rate;
};
FilmPace film_pace(const EnvSpec& spec, int every);

/// Where actions come from.
struct FilmSource {
  std::function<const StepBatch*(VectorEnv&)> step;             ///< steps all lanes; nothing: no actions are left
  std::function<bool(Index lane, VectorRef obs)> subgoal = {};  ///< as Agent::subgoal, after a step; may be empty
};
FilmSource film_source(Agent& agent);

/// How many episodes ended, and how.
struct FilmOutcome {
  int episodes = 0, successes = 0;
  std::int64_t steps = 0;  ///< of all lanes together
};

/// Runs episodes and hands out pictures of them; those of several lanes lie side by side. A lane runs its share of the
/// episodes, and when it has, its last picture stays.
class Film {
 public:
  using OnPicture = std::function<void(const Picture&, int times)>;  ///< with how often it is to be shown
  using Stop = std::function<bool(const FilmOutcome&)>;              ///< asked between steps; what there is stays

  /// @throws as Renderer
  Film(const EnvSpec& spec, const FilmConfig& config, int lanes);
  int width() const { return picture_.width; }
  int height() const { return picture_.height; }
  FilmPace pace() const { return pace_; }

  /// From the start of the episodes to the last one's end, which is shown for a second.
  /// @throws UsageError if the environment does not draw itself
  FilmOutcome record(VectorEnv& env, const FilmSource& source, int episodes, const OnPicture& on_picture,
                     const Stop& stop);
  /// Only the last picture of it, or that after so many steps.
  FilmOutcome snap(VectorEnv& env, const FilmSource& source, int episodes, std::optional<int> step,
                   const OnPicture& on_picture, const Stop& stop);

  std::string note = {};  ///< a line above the others, e.g. of which policy this is

 private:
  struct Lane {
    int episodes = 0, successes = 0, share = 0;  // ended; of them with success; to run
    bool over = false;                           // the share is done
    // Of the running episode:
    std::int64_t step = 0;
    double reward = 0, total = 0;         // of the last step; so far
    bool success = false, drawn = false;  // of the last step; it is in the picture
    std::vector<Vector> trail = {}, subgoals = {};
  };

  FilmOutcome run(VectorEnv& env, const FilmSource& source, int episodes, bool still, std::optional<int> last_step,
                  const OnPicture& on_picture, const Stop& stop);
  Scene scene_of(int lane, const Env& env, const FilmSource& source);
  void draw(int lane, const Scene& scene, const std::string& outcome);
  void place(int lane, const Picture& tile);

  EnvSpec spec_;
  FilmConfig c_;
  FilmPace pace_;
  Renderer renderer_;
  int columns_, rows_;
  Picture picture_;
  std::vector<Lane> lanes_;
};

/// The next episode of the policy in an environment of one lane, in a file. @throws as FilmWriter and Film
FilmOutcome film_episode(Film& film, Agent& agent, VectorEnv& env, const std::filesystem::path& file,
                         const std::function<bool()>& stop);

}  // namespace goalpost
