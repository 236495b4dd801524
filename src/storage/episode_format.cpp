// Headers and blocks of episodes, and the names of their files.
#include "storage/episode_format.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "storage/run_directory.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

}  // namespace

fs::path episode_parts(const fs::path& directory) { return directory / kEpisodeParts; }
fs::path episode_file(const fs::path& directory) { return directory / kEpisodeFile; }

std::vector<fs::path> part_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().extension() == ".h5") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

EpisodeHeader EpisodeHeader::of(const EnvSpec& spec, std::uint64_t seed, std::string config) {
  EpisodeHeader h{.environment = spec.name,
                  .config = std::move(config),
                  .obs_dim = spec.obs_dim,
                  .goal_dim = spec.goal.dim,
                  .action_dim = spec.action.dim,
                  .choices = spec.action.kind == ActionSpace::Kind::discrete ? spec.action.choices : 0,
                  .max_steps = spec.max_steps,
                  .action_low = {},
                  .action_high = {},
                  .goal_radius = static_cast<double>(spec.goal.radius),
                  .dt = spec.dt,
                  .seed = seed};
  if (h.choices == 0) {
    h.action_low.assign(spec.action.low.begin(), spec.action.low.end());
    h.action_high.assign(spec.action.high.begin(), spec.action.high.end());
  }
  return h;
}

bool EpisodeHeader::same_spaces(const EpisodeHeader& o) const {
  return environment == o.environment && obs_dim == o.obs_dim && goal_dim == o.goal_dim && action_dim == o.action_dim &&
         choices == o.choices;
}

void EpisodeBlock::clear() {
  const EpisodeHeader any;
  const auto clear_one = [](const char*, int, auto& column) { column.clear(); };
  for_states(any, *this, clear_one);
  for_steps(any, *this, clear_one);
  for_episodes(*this, clear_one);
}

void EpisodeBlock::append_episode(const EpisodeHeader& h, const EpisodeBlock& from, std::uint64_t e) {
  const std::uint64_t begin = from.begin_of(e), count = from.end[e] - begin, old_steps = steps();
  const auto copy = [](const auto& source, auto& to, std::uint64_t row, std::uint64_t rows, int numbers) {
    const auto width = static_cast<std::uint64_t>(numbers);
    const auto first = source.begin() + static_cast<std::ptrdiff_t>(row * width);
    to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(rows * width));
  };
  copy(from.observation, observation, begin + e, count + 1, h.obs_dim);
  copy(from.achieved, achieved, begin + e, count + 1, h.goal_dim);
  copy(from.desired, desired, begin + e, count + 1, h.goal_dim);
  copy(from.action, action, begin, count, h.action_dim);
  copy(from.reward, reward, begin, count, 1);
  copy(from.terminated, terminated, begin, count, 1);
  copy(from.truncated, truncated, begin, count, 1);
  copy(from.success, success, begin, count, 1);
  copy(from.failed, failed, begin, count, 1);
  end.push_back(old_steps + count);
  lane.push_back(from.lane[e]);
  run_step.push_back(from.run_step[e]);
  purpose.push_back(from.purpose[e]);
}

}  // namespace goalpost
