// Reads headers and episodes, and checks both.
#include "storage/episode_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "storage/file_error.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

int small_number(const Hdf5File& file, const fs::path& path, const char* attribute, std::uint64_t limit) {
  const std::uint64_t n = file.read_number("", attribute);
  if (n > limit) wrong(path, fmt::format("{} = {}; expected at most {}", attribute, n, limit));
  return static_cast<int>(n);
}

std::vector<double> read_range(const Hdf5File& file, const char* name, int n) {
  std::vector<double> values(static_cast<std::size_t>(n));
  file.read(name, {values.size()}, std::span(values));
  return values;
}

EpisodeHeader read_header(const Hdf5File& file, const fs::path& path) {
  // Other kinds have other schemas.
  const std::string kind = file.has_attribute("", "kind") ? file.read_text("", "kind") : "";
  const std::uint64_t schema = kind.empty() || kind == kEpisodeKind ? file.read_number("", "schema") : kSchema;
  if (schema != kSchema && schema != kSchemaWithoutFailed)
    wrong(path, fmt::format("schema = {}; expected {} or {}", schema, kSchemaWithoutFailed, kSchema));
  if (kind != kEpisodeKind) wrong(path, fmt::format("kind = \"{}\"; expected \"{}\"", kind, kEpisodeKind));
  EpisodeHeader h;
  h.environment = file.read_text("", "environment");
  h.config = file.read_text("", "config");
  constexpr std::uint64_t kMost = 1'000'000;
  h.obs_dim = small_number(file, path, "obs_dim", kMost);
  h.goal_dim = small_number(file, path, "goal_dim", kMost);
  h.action_dim = small_number(file, path, "action_dim", kMost);
  h.choices = small_number(file, path, "choices", kMost);
  h.max_steps = small_number(file, path, "max_steps", 1'000'000'000);
  h.goal_radius = file.read_real("", "goal_radius");
  h.dt = file.read_real("", "dt");
  h.seed = file.read_number("", "seed");
  h.has_failed = schema != kSchemaWithoutFailed;
  if (!(h.goal_radius >= 0) || !std::isfinite(h.goal_radius) || !(h.dt >= 0) || !std::isfinite(h.dt))
    wrong(path, fmt::format("goal_radius = {}, dt = {}; expected finite numbers >= 0", h.goal_radius, h.dt));
  if (h.obs_dim == 0 || h.action_dim == 0 || (h.choices > 0 && h.action_dim != 1))
    wrong(path, fmt::format("obs_dim = {}, action_dim = {}, choices = {}; expected positive dimensions, and one "
                            "action number where there are choices",
                            h.obs_dim, h.action_dim, h.choices));
  if (h.choices == 0) {
    h.action_low = read_range(file, "action_low", h.action_dim);
    h.action_high = read_range(file, "action_high", h.action_dim);
    for (std::size_t i = 0; i < h.action_low.size(); ++i)
      if (!(h.action_low[i] < h.action_high[i]) || !std::isfinite(h.action_high[i] - h.action_low[i]))
        wrong(path, fmt::format("action {} has the range [{}, {}]; expected a finite one", i, h.action_low[i],
                                h.action_high[i]));
  }
  return h;
}

}  // namespace

EpisodeReader::EpisodeReader(const fs::path& path) {
  if (!fs::is_directory(path) || fs::is_regular_file(episode_file(path))) {
    add(fs::is_directory(path) ? episode_file(path) : path);
    return;
  }
  const bool is_run = fs::is_directory(episode_parts(path));
  for (const fs::path& file : part_files(is_run ? episode_parts(path) : path)) add(file);
  if (files_.empty())
    wrong(path, "the directory holds no episodes; expected episodes.h5, or sealed parts 000000.h5, ...");
}

const Hdf5File& EpisodeReader::open_part(std::size_t part) const {
  if (!open_ || open_index_ != part) {
    open_.reset();
    open_.emplace(Hdf5File::open(files_[part]));
    open_index_ = part;
  }
  return *open_;
}

void EpisodeReader::add(const fs::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  const EpisodeHeader h = read_header(file, path);
  Part part{h.has_failed, episodes_, {}};
  if (!files_.empty() && !h.same_spaces(header_))
    wrong(path, fmt::format("the episodes are of {} with other spaces than those of {}", h.environment,
                            files_.front().string()));
  const auto rows = [&](const char* name, int numbers) {
    const Hdf5Shape found = file.shape(name);
    const bool fits =
        numbers > 0 ? found.size() == 2 && found[1] == static_cast<std::uint64_t>(numbers) : found.size() == 1;
    if (!fits)
      wrong(path, fmt::format("{}: the shape is [{}]; expected {}", name, fmt::join(found, " x "),
                              numbers > 0 ? fmt::format("rows of {}", numbers) : "one number per row"));
    return found[0];
  };
  EpisodeBlock types;
  const std::uint64_t count = rows("episode/end", 0), steps = rows("reward", 0);
  const auto expect = [&](std::uint64_t expected) {
    return [&, expected](const char* name, int numbers, auto&) {
      if (!is_there(name, h)) return;
      if (const std::uint64_t n = rows(name, numbers); n != expected)
        wrong(path, fmt::format("{}: there are {} rows; expected {}, for {} episodes of {} steps", name, n, expected,
                                count, steps));
    };
  };
  part.end.resize(count);
  file.read_rows("episode/end", 0, count, std::span(part.end));
  std::uint64_t last = 0;
  for (std::uint64_t e = 0; e < count; last = part.end[e++])
    if (part.end[e] <= last || part.end[e] > steps || part.end[e] - last > static_cast<std::uint64_t>(h.max_steps))
      wrong(path, fmt::format("episode/end[{}] = {} after {}; expected an episode of 1 to {} steps within {}", e,
                              part.end[e], last, h.max_steps, steps));
  if (last != steps) wrong(path, fmt::format("episode/end: the last is {}; expected {}, the steps", last, steps));
  for_states(h, types, expect(steps + count));
  for_steps(h, types, expect(steps));
  for_episodes(types, expect(count));
  if (files_.empty()) header_ = h;
  header_.has_failed = header_.has_failed && h.has_failed;
  files_.push_back(path);
  parts_.push_back(std::move(part));
  episodes_ += count;
  steps_ += steps;
}

void EpisodeReader::read(std::uint64_t index, EpisodeBlock& b) const {
  const auto after = std::upper_bound(parts_.begin(), parts_.end(), index,
                                      [](std::uint64_t i, const Part& part) { return i < part.first; });
  const Part& part = *(after - 1);
  const std::size_t number = static_cast<std::size_t>(after - 1 - parts_.begin());
  const fs::path& file = files_[number];
  const Hdf5File& open = open_part(number);
  const std::uint64_t e = index - part.first, begin = e == 0 ? 0 : part.end[e - 1], steps = part.end[e] - begin;
  EpisodeHeader there = header_;
  there.has_failed = part.has_failed;
  const auto read_rows = [&](std::uint64_t first, std::uint64_t count) {
    return [&, first, count]<class T>(const char* name, int numbers, std::vector<T>& column) {
      const std::size_t old = column.size();
      if (!is_there(name, there)) {
        if (std::string_view(name) == "failed") column.resize(old + count);
        return;
      }
      column.resize(old + count * static_cast<std::uint64_t>(std::max(numbers, 1)));
      open.read_rows(name, first, count, std::span(column).subspan(old));
      if constexpr (std::is_same_v<T, float>) {
        for (std::size_t i = old; i < column.size(); ++i)
          if (!std::isfinite(column[i]))
            wrong(file, fmt::format("{}: row {} of episode {} holds {}; expected finite numbers", name,
                                    (i - old) / static_cast<std::size_t>(std::max(numbers, 1)), index, column[i]));
      }
    };
  };
  const std::uint64_t block_begin = b.steps();
  for_states(header_, b, read_rows(begin + e, steps + 1));
  for_steps(header_, b, read_rows(begin, steps));
  const auto one = read_rows(e, 1);
  one("episode/lane", 0, b.lane);
  one("episode/run_step", 0, b.run_step);
  one("episode/purpose", 0, b.purpose);
  b.end.push_back(block_begin + steps);

  for (std::uint64_t t = 0; t < steps; ++t) {
    const std::uint64_t k = block_begin + t;
    const bool ended = b.terminated[k] != 0 || b.truncated[k] != 0;
    if (b.terminated[k] > 1 || b.truncated[k] > 1 || b.success[k] > 1 || (b.terminated[k] && b.truncated[k]) ||
        ended != (t + 1 == steps))
      wrong(file, fmt::format("step {} of {} of episode {} has terminated = {}, truncated = {}, success = {}; expected "
                              "0 or 1, and one of the first two on the last step only",
                              t, steps, index, b.terminated[k], b.truncated[k], b.success[k]));
    if (b.failed[k] > 1 || (b.failed[k] && !b.terminated[k]))
      wrong(file, fmt::format("step {} of {} of episode {} has failed = {}, terminated = {}; expected 0 or 1, and a "
                              "failure only where the episode is terminated",
                              t, steps, index, b.failed[k], b.terminated[k]));
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(header_.action_dim); ++i) {
      const float a = b.action[k * static_cast<std::uint64_t>(header_.action_dim) + i];
      const bool inside = header_.choices > 0 ? a >= 0 && a < static_cast<float>(header_.choices) && a == std::trunc(a)
                                              : a >= -1 && a <= 1;
      if (!inside)
        wrong(file, fmt::format("action: step {} of episode {} holds {}; expected {}", t, index, a,
                                header_.choices > 0 ? fmt::format("an index below {}", header_.choices)
                                                    : "numbers in [-1, 1]"));
    }
  }
  if (b.purpose.back() > static_cast<std::uint8_t>(EpisodePurpose::rollout))
    wrong(file, fmt::format("episode/purpose[{}] = {}; expected 0, 1 or 2", e, b.purpose.back()));
}

}  // namespace goalpost
