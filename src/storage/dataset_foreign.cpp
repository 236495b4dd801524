// Rows of foreign files, units of actions, and completing what such files do not store of an episode.
#include "storage/dataset_foreign.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "core/matrix.h"
#include "storage/file_error.h"

namespace goalpost::foreign {
namespace {

namespace fs = std::filesystem;

// [-1, 1] and back. A range of [-1, 1] keeps every bit.
float to_unit(const EpisodeHeader& h, std::size_t i, float a) {
  const double low = h.action_low[i], high = h.action_high[i];
  if (low == -1 && high == 1) return a;
  return static_cast<float>(low + (static_cast<double>(a) + 1) * 0.5 * (high - low));
}
float from_unit(const EpisodeHeader& h, std::size_t i, float a) {
  const double low = h.action_low[i], high = h.action_high[i];
  if (low == -1 && high == 1) return a;
  return static_cast<float>(std::clamp(2 * (static_cast<double>(a) - low) / (high - low) - 1, -1.0, 1.0));
}

}  // namespace

std::vector<float> actions_in_unit(const EpisodeHeader& h, const EpisodeBlock& b) {
  std::vector<float> actions = b.action;
  for (std::size_t k = 0; k < actions.size(); ++k) actions[k] = to_unit(h, k % n(h.action_dim), actions[k]);
  return actions;
}

void guess_failures(const EnvSpec& spec, EpisodeBlock& b) {
  b.failed.assign(b.steps(), 0);
  for (std::uint64_t t = 0; t < b.steps(); ++t)
    b.failed[t] = spec.can_fail && b.terminated[t] != 0 && b.success[t] == 0;
}

std::vector<float> rows(const Hdf5File& file, const fs::path& path, const std::string& name, std::uint64_t first,
                        std::uint64_t count, int dimension) {
  const Hdf5Shape shape = file.shape(name);
  const bool flat = shape.size() == 1 && dimension == 1;
  if (!flat && !(shape.size() == 2 && shape[1] == n(dimension)))
    wrong(path, fmt::format("{}: the shape is [{}]; expected rows of {}", name, fmt::join(shape, " x "), dimension));
  std::vector<float> values(count * n(dimension));
  file.read_rows(name, first, count, std::span(values));
  for (const float x : values)
    if (!std::isfinite(x)) wrong(path, fmt::format("{} holds {}; expected finite numbers", name, x));
  return values;
}

std::vector<std::uint8_t> flags(const Hdf5File& file, const std::string& name, std::uint64_t first,
                                std::uint64_t count) {
  std::vector<std::uint8_t> values(count);
  file.read_rows(name, first, count, std::span(values));
  for (std::uint8_t& flag : values) flag = flag != 0;
  return values;
}

void complete_episode(const fs::path& path, const std::string& where, const EnvSpec& spec, const EpisodeHeader& h,
                      bool with_success, bool with_failed, EpisodeBlock& b) {
  const std::uint64_t steps = b.steps();
  for (std::uint64_t t = 0; t + 1 < steps; ++t)
    if (b.terminated[t] || b.truncated[t])
      wrong(path, fmt::format("{} ends at step {} of {}; expected an end at its last step only", where, t, steps));
  b.truncated.back() = b.terminated.back() == 0;
  for (std::size_t k = 0; k < b.action.size(); ++k) {
    float& a = b.action[k];
    const std::size_t i = k % n(h.action_dim);
    const bool inside = h.choices > 0
                            ? a >= 0 && a < static_cast<float>(h.choices) && a == std::trunc(a)
                            : static_cast<double>(a) >= h.action_low[i] && static_cast<double>(a) <= h.action_high[i];
    if (!inside)
      wrong(path, fmt::format("{} takes the action {}; expected {}", where, a,
                              h.choices > 0 ? fmt::format("an index below {}", h.choices)
                                            : fmt::format("numbers in [{}, {}]", h.action_low[i], h.action_high[i])));
    if (h.choices == 0) a = from_unit(h, i, a);
  }
  if (!with_success) {
    b.success.assign(steps, 0);
    const Index dim = spec.goal.dim;
    for (std::uint64_t t = 0; dim > 0 && t < steps; ++t) {
      const auto goal = [&](const std::vector<float>& states) {
        return ConstVectorMap(states.data() + (t + 1) * static_cast<std::uint64_t>(dim), dim);
      };
      b.success[t] = spec.goal.reached(goal(b.achieved), goal(b.desired));
    }
  }
  if (!with_failed) guess_failures(spec, b);
  for (std::uint64_t t = 0; t < steps; ++t)
    if (b.failed[t] && !b.terminated[t])
      wrong(path,
            fmt::format("{} fails at step {}, where it is not terminated; expected a failure to end it", where, t));
  b.end = {steps};
  b.lane = {0};
  b.run_step = {0};
  b.purpose = {static_cast<std::uint8_t>(EpisodePurpose::rollout)};
}

void expect_time_limit(const fs::path& path, const std::string& where, std::uint64_t steps, const EnvSpec& spec) {
  if (steps > static_cast<std::uint64_t>(spec.max_steps))
    wrong(path, fmt::format("{} has {} steps; expected at most {}, the time limit of {}", where, steps, spec.max_steps,
                            spec.name));
}

}  // namespace goalpost::foreign
