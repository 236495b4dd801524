// Reads and writes the datasets of D4RL.
#include "storage/dataset_d4rl.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "storage/dataset_summary.h"
#include "storage/episode_reader.h"
#include "storage/file.h"
#include "storage/file_error.h"
#include "storage/try_reading.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

using namespace foreign;

// Rows without the last of every episode, or without the first.
std::vector<float> without_row(const std::vector<float>& states, const EpisodeBlock& b, int dimension, bool last) {
  std::vector<float> rows;
  for (std::uint64_t e = 0; e < b.episodes(); ++e) {
    const auto begin =
        states.begin() + static_cast<std::ptrdiff_t>((b.begin_of(e) + e + (last ? 0 : 1)) * n(dimension));
    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>((b.end[e] - b.begin_of(e)) * n(dimension)));
  }
  return rows;
}

}  // namespace

void each_d4rl(const Hdf5File& file, const fs::path& path, const EnvSpec& spec, const EachEpisode& f) {
  const EpisodeHeader h = EpisodeHeader::of(spec, 0, "");
  const Hdf5Shape shape = file.shape("rewards");
  const std::uint64_t total = shape.empty() ? 0 : shape[0];
  if (total == 0) wrong(path, "rewards is empty; expected at least one step");
  const auto same_rows = [&](const char* name) {
    const auto found = file.find_dataset(name);
    if (found && (found->empty() || (*found)[0] != total))
      wrong(path,
            fmt::format("{}: the shape is [{}]; expected {} rows, as rewards", name, fmt::join(*found, " x "), total));
    return found.has_value();
  };
  for (const char* name : {"observations", "actions", "terminals"})
    if (!same_rows(name)) wrong(path, fmt::format("there is no {}; expected a D4RL dataset", name));
  const bool timeouts = same_rows("timeouts"), next = same_rows("next_observations"),
             success = same_rows("infos/success"), failed = same_rows("infos/failed");
  const bool goals = spec.goal.dim > 0;
  if (goals && !(same_rows("infos/goal") && same_rows("infos/achieved_goal") && same_rows("infos/next_achieved_goal")))
    wrong(path, fmt::format("there are no infos/goal, infos/achieved_goal and infos/next_achieved_goal; expected them, "
                            "as {} has goals",
                            spec.name));

  EpisodeBlock b;
  const std::vector<std::uint8_t> terminal = flags(file, "terminals", 0, total),
                                  timeout =
                                      timeouts ? flags(file, "timeouts", 0, total) : std::vector<std::uint8_t>(total);
  for (std::uint64_t begin = 0, end = 0; begin < total; begin = end, b.clear()) {
    do ++end;
    while (end < total && !terminal[end - 1] && !timeout[end - 1]);
    // Without next_observations the last successor is unknown: after a terminal step nobody uses it, and any other
    // last step is left out.
    const std::uint64_t steps = end - begin - (next || terminal[end - 1] ? 0 : 1);
    if (steps == 0) continue;
    expect_time_limit(path, fmt::format("the episode from row {}", begin), steps, spec);
    const auto states = [&](const char* now, const char* after, bool has_after, int dimension) {
      std::vector<float> column = rows(file, path, now, begin, steps, dimension), last;
      if (has_after)
        last = rows(file, path, after, begin + steps - 1, 1, dimension);
      else if (begin + steps < end)
        last = rows(file, path, now, begin + steps, 1, dimension);
      else
        last.assign(column.end() - dimension, column.end());
      column.insert(column.end(), last.begin(), last.end());
      return column;
    };
    b.observation = states("observations", "next_observations", next, spec.obs_dim);
    if (goals) {
      b.achieved = states("infos/achieved_goal", "infos/next_achieved_goal", true, spec.goal.dim);
      b.desired = states("infos/goal", "", false, spec.goal.dim);
    }
    b.action = rows(file, path, "actions", begin, steps, spec.action.dim);
    b.reward = rows(file, path, "rewards", begin, steps, 1);
    const auto cut = [&](const std::vector<std::uint8_t>& all) {
      return std::vector<std::uint8_t>(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                       all.begin() + static_cast<std::ptrdiff_t>(begin + steps));
    };
    b.terminated = cut(terminal);
    b.truncated.assign(steps, 0);
    if (success) b.success = flags(file, "infos/success", begin, steps);
    if (failed) b.failed = flags(file, "infos/failed", begin, steps);
    complete_episode(path, fmt::format("the episode from row {}", begin), spec, h, success, failed, b);
    f(b);
  }
}

void export_d4rl(const fs::path& path, const fs::path& out, bool compressed) {
  expect_new(out);
  try_reading(path, [&] { read_recorded(path); });
  const EpisodeReader reader(path);
  const EpisodeHeader& h = reader.header();
  const fs::path temporary = temporary_name(out);
  try {
    Hdf5File file = Hdf5File::create(temporary);
    const auto create = [&](const char* name, int dimension) {
      file.create_rows<float>(name, dimension > 0 ? Hdf5Shape{n(dimension)} : Hdf5Shape{}, 4096, compressed);
    };
    create("observations", h.obs_dim);
    create("next_observations", h.obs_dim);
    create("actions", h.action_dim);
    create("rewards", 0);
    if (h.goal_dim > 0)
      for (const char* name : {"infos/goal", "infos/achieved_goal", "infos/next_achieved_goal"})
        create(name, h.goal_dim);
    std::vector<std::uint8_t> terminals, timeouts, success, failed;
    EpisodeBlock b;
    for (std::uint64_t e = 0; e < reader.episodes(); ++e) {
      reader.read(e, b);
      const auto last = static_cast<std::ptrdiff_t>(b.steps() - b.begin_of(b.episodes() - 1));
      terminals.insert(terminals.end(), b.terminated.end() - last, b.terminated.end());
      timeouts.insert(timeouts.end(), b.truncated.end() - last, b.truncated.end());
      success.insert(success.end(), b.success.end() - last, b.success.end());
      failed.insert(failed.end(), b.failed.end() - last, b.failed.end());
      if (b.steps() < 10'000 && e + 1 < reader.episodes()) continue;
      const auto append = [&](const char* name, const std::vector<float>& values) {
        file.append(name, std::span<const float>(values));
      };
      append("observations", without_row(b.observation, b, h.obs_dim, true));
      append("next_observations", without_row(b.observation, b, h.obs_dim, false));
      append("actions", h.choices > 0 ? b.action : actions_in_unit(h, b));
      append("rewards", b.reward);
      if (h.goal_dim > 0) {
        append("infos/goal", without_row(b.desired, b, h.goal_dim, true));
        append("infos/achieved_goal", without_row(b.achieved, b, h.goal_dim, true));
        append("infos/next_achieved_goal", without_row(b.achieved, b, h.goal_dim, false));
      }
      b.clear();
    }
    file.write_flags("terminals", terminals, compressed);
    file.write_flags("timeouts", timeouts, compressed);
    file.write_flags("infos/success", success, compressed);
    if (h.has_failed) file.write_flags("infos/failed", failed, compressed);
    file.write_attribute("", "environment", h.environment);
    file.write_attribute("", "config", h.config);
    file.write_attribute("", "goal_radius", h.goal_radius);
    file.write_attribute("", "dt", h.dt);
    file.close();
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  replace_by_temporary(out);
}

}  // namespace goalpost
