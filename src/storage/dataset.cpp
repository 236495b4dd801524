#include "storage/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "envs/registry.h"
#include "storage/checkpoint.h"
#include "storage/file.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void wrong(const fs::path& file, const std::string& sentence) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), sentence));
}

std::size_t n(int dimension) { return static_cast<std::size_t>(dimension); }

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

std::vector<float> actions_in_unit(const EpisodeHeader& h, const EpisodeBlock& b) {
  std::vector<float> actions = b.action;
  for (std::size_t k = 0; k < actions.size(); ++k) actions[k] = to_unit(h, k % n(h.action_dim), actions[k]);
  return actions;
}

double sum(const std::vector<float>& values) {
  double total = 0;
  for (const float x : values) total += static_cast<double>(x);
  return total;
}

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

// ---------------------------------------------------------------------------------------------------------- reading

// Whatever the format: f gets one episode at a time.
using EachEpisode = std::function<void(const EpisodeBlock&)>;

void expect_same(const fs::path& path, const char* what, std::int64_t found, std::int64_t expected,
                 const EnvSpec& spec) {
  if (found != expected) wrong(path, fmt::format("{} = {}; expected {}, as {} has", what, found, expected, spec.name));
}

// For files that do not say which episodes failed.
void guess_failures(const EnvSpec& spec, EpisodeBlock& b) {
  b.failed.assign(b.steps(), 0);
  for (std::uint64_t t = 0; t < b.steps(); ++t)
    b.failed[t] = spec.can_fail && b.terminated[t] != 0 && b.success[t] == 0;
}

void expect_spaces(const fs::path& path, const EpisodeHeader& h, const EnvSpec& spec) {
  const EpisodeHeader expected = EpisodeHeader::of(spec, 0, "");
  expect_same(path, "the observation's dimension", h.obs_dim, expected.obs_dim, spec);
  expect_same(path, "the goal's dimension", h.goal_dim, expected.goal_dim, spec);
  expect_same(path, "the action's dimension", h.action_dim, expected.action_dim, spec);
  expect_same(path, "the number of discrete actions", h.choices, expected.choices, spec);
  if (h.action_low != expected.action_low || h.action_high != expected.action_high)
    wrong(path, fmt::format("the actions' range is [{}] to [{}]; expected [{}] to [{}], as {} has",
                            fmt::join(h.action_low, ", "), fmt::join(h.action_high, ", "),
                            fmt::join(expected.action_low, ", "), fmt::join(expected.action_high, ", "), spec.name));
}

void each_recorded(const fs::path& path, const EnvSpec& spec, const EachEpisode& f) {
  const EpisodeReader reader(path);
  expect_spaces(path, reader.header(), spec);
  EpisodeBlock block;
  for (std::uint64_t e = 0; e < reader.episodes(); ++e, block.clear()) {
    reader.read(e, block);
    if (!reader.header().has_failed) guess_failures(spec, block);
    f(block);
  }
}

// Rows of a foreign file as float32, checked.
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

// What foreign formats leave open is filled in: an end that no flag tells, actions in [-1, 1], successes, failures.
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

struct MinariMetadata {
  std::uint64_t episodes = 0, steps = 0;
  DatasetIdentity identity = {};
};
MinariMetadata read_metadata(const fs::path& path) {
  constexpr std::uintmax_t kLargest = std::uintmax_t(16) << 20;
  if (!fs::is_regular_file(path)) wrong(path, "there is no such file; expected the metadata of a Minari dataset");
  if (fs::file_size(path) > kLargest)
    wrong(path, fmt::format("the file has {} bytes; expected at most {}", fs::file_size(path), kLargest));
  try {
    const nlohmann::json j = nlohmann::json::parse(read_file(path));
    if (const std::string format = j.at("data_format"); format != "hdf5")
      wrong(path, fmt::format("data_format = \"{}\"; expected \"hdf5\"", format));
    const auto count = [&](const char* key) {
      if (!j.at(key).is_number_unsigned()) wrong(path, fmt::format("{} = {}; expected a count", key, j.at(key).dump()));
      return j.at(key).get<std::uint64_t>();
    };
    MinariMetadata m{.episodes = count("total_episodes"), .steps = count("total_steps")};
    const auto number = [&](const char* key) -> std::optional<double> {
      if (!j.contains(key)) return {};
      return j.at(key).get<double>();
    };
    m.identity = {.environment = j.value("goalpost_environment", std::string()),
                  .config = j.value("goalpost_config", std::string()),
                  .goal_radius = number("goalpost_goal_radius"),
                  .dt = number("goalpost_dt")};
    return m;
  } catch (const nlohmann::json::exception& e) {
    wrong(path, fmt::format("this is no metadata of a Minari dataset: {}", e.what()));
  }
}

void each_minari(const fs::path& data, const EnvSpec& spec, const EachEpisode& f) {
  const MinariMetadata total = read_metadata(data / "metadata.json");
  const fs::path path = data / "main_data.hdf5";
  const Hdf5File file = Hdf5File::open(path);
  const EpisodeHeader h = EpisodeHeader::of(spec, 0, "");
  const std::uint64_t episodes = total.episodes;
  if (file.has(fmt::format("episode_{}", episodes)))
    wrong(path, fmt::format("there is a group episode_{0}; expected none from {0} on, as metadata.json says "
                            "total_episodes = {0}",
                            episodes));
  std::uint64_t total_steps = 0;
  EpisodeBlock b;
  for (std::uint64_t e = 0; e < episodes; ++e, b.clear()) {
    const std::string group = fmt::format("episode_{}/", e);
    const std::string states = group + "observations";
    if (!file.has(fmt::format("episode_{}", e)))
      wrong(path, fmt::format("there is no group episode_{}; expected {} of them, as metadata.json says", e, episodes));
    const Hdf5Shape rewards = file.shape(group + "rewards");
    const std::uint64_t steps = rewards.empty() ? 0 : rewards[0];
    if (steps == 0) wrong(path, group + "rewards is empty; expected at least one step");
    expect_time_limit(path, fmt::format("episode_{}", e), steps, spec);
    const bool dictionary = !file.find_dataset(states).has_value();
    if (dictionary != (spec.goal.dim > 0))
      wrong(path,
            fmt::format("{} is {}; expected {}, as {} has {} goals", states, dictionary ? "a group" : "one dataset",
                        dictionary ? "one dataset" : "a group with observation, achieved_goal and desired_goal",
                        spec.name, dictionary ? "no" : ""));
    const auto state = [&](const std::string& name, int dimension) {
      const Hdf5Shape shape = file.shape(name);
      if (shape.empty() || shape[0] != steps + 1)
        wrong(path, fmt::format("{}: the shape is [{}]; expected {} rows, one more than rewards", name,
                                fmt::join(shape, " x "), steps + 1));
      return rows(file, path, name, 0, steps + 1, dimension);
    };
    b.observation = state(dictionary ? states + "/observation" : states, spec.obs_dim);
    if (dictionary) {
      b.achieved = state(states + "/achieved_goal", spec.goal.dim);
      b.desired = state(states + "/desired_goal", spec.goal.dim);
    }
    b.action = rows(file, path, group + "actions", 0, steps, spec.action.dim);
    b.reward = rows(file, path, group + "rewards", 0, steps, 1);
    b.terminated = flags(file, group + "terminations", 0, steps);
    b.truncated = flags(file, group + "truncations", 0, steps);
    // The information that reset gives comes first, unless there are as many rows as steps.
    const auto read_info = [&](const char* name, std::vector<std::uint8_t>& to) {
      const auto shape = file.find_dataset(group + name);
      if (!shape || (*shape != Hdf5Shape{steps} && *shape != Hdf5Shape{steps + 1})) return false;
      to = flags(file, group + name, (*shape)[0] - steps, steps);
      return true;
    };
    const bool with_success = read_info("infos/success", b.success), with_failed = read_info("infos/failed", b.failed);
    complete_episode(path, fmt::format("episode_{}", e), spec, h, with_success, with_failed, b);
    f(b);
    total_steps += steps;
  }
  if (total_steps != total.steps)
    wrong(path,
          fmt::format("the episodes have {} steps; expected {}, as metadata.json says", total_steps, total.steps));
}

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

// The directory of a Minari dataset's files, if this is one.
std::optional<fs::path> minari_data(const fs::path& path) {
  for (const fs::path& data : {path / "data", path})
    if (fs::is_regular_file(data / "main_data.hdf5")) return data;
  return {};
}

// Empty if the file is not goalpost's own.
std::string kind_of(const fs::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  if (file.has_attribute("", "kind")) return file.read_text("", "kind");
  if (file.has_attribute("", "schema"))
    wrong(path, "there is an attribute schema, but no kind; expected both: the file is damaged");
  return "";
}

void each_episode(const fs::path& path, const EnvSpec& spec, const EachEpisode& f) {
  if (const auto data = minari_data(path)) return each_minari(*data, spec, f);
  if (fs::is_directory(path)) return each_recorded(path, spec, f);
  const Hdf5File file = Hdf5File::open(path);
  if (!file.has_attribute("", "kind") && file.has("observations")) return each_d4rl(file, path, spec, f);
  each_recorded(path, spec, f);
}

// ---------------------------------------------------------------------------------------------------------- Minari

std::string box(const char* dtype, const std::vector<double>& low, const std::vector<double>& high) {
  const auto list = [](const std::vector<double>& values) {
    std::string text;
    for (const double x : values)
      text += fmt::format("{}{}", text.empty() ? "" : ",",
                          std::isinf(x) ? (x < 0 ? "-Infinity" : "Infinity") : nlohmann::json(x).dump());
    return text;
  };
  return fmt::format(R"({{"type":"Box","dtype":"{}","shape":[{}],"low":[{}],"high":[{}]}})", dtype, low.size(),
                     list(low), list(high));
}

std::string unbounded(int dimension) {
  const std::vector<double> high(n(dimension), std::numeric_limits<double>::infinity());
  std::vector<double> low = high;
  for (double& x : low) x = -x;
  return box("float32", low, high);
}

std::string observation_space(const EpisodeHeader& h) {
  if (h.goal_dim == 0) return unbounded(h.obs_dim);
  return fmt::format(R"({{"type":"Dict","subspaces":{{"achieved_goal":{0},"desired_goal":{0},"observation":{1}}}}})",
                     unbounded(h.goal_dim), unbounded(h.obs_dim));
}

std::string action_space(const EpisodeHeader& h) {
  if (h.choices > 0) return fmt::format(R"({{"type":"Discrete","dtype":"int64","start":0,"n":{}}})", h.choices);
  return box("float32", h.action_low, h.action_high);
}

// "name-v3": what Minari wants of the last part of a dataset's name, and Gymnasium of an environment's.
bool has_version(const std::string& name) {
  const std::size_t v = name.rfind("-v");
  return v != name.npos && v > 0 && v + 2 < name.size() && name.find_first_not_of("0123456789", v + 2) == name.npos &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

template <class T>
void write_column(Hdf5File& file, const std::string& name, int dimension, const std::vector<T>& values,
                  bool compressed) {
  const std::uint64_t count = values.size() / n(std::max(dimension, 1));
  file.create_rows<T>(name, dimension > 0 ? Hdf5Shape{n(dimension)} : Hdf5Shape{}, std::min<std::uint64_t>(count, 1024),
                      compressed);
  file.append(name, std::span<const T>(values));
}

void write_minari_episode(Hdf5File& file, std::uint64_t e, const EpisodeHeader& h, const EpisodeBlock& b,
                          bool compressed) {
  const std::string group = fmt::format("episode_{}", e);
  file.create_group(group);
  if (h.goal_dim > 0) {
    write_column(file, group + "/observations/observation", h.obs_dim, b.observation, compressed);
    write_column(file, group + "/observations/achieved_goal", h.goal_dim, b.achieved, compressed);
    write_column(file, group + "/observations/desired_goal", h.goal_dim, b.desired, compressed);
  } else {
    write_column(file, group + "/observations", h.obs_dim, b.observation, compressed);
  }
  if (h.choices > 0)
    write_column(file, group + "/actions", 0, std::vector<std::int64_t>(b.action.begin(), b.action.end()), compressed);
  else
    write_column(file, group + "/actions", h.action_dim, actions_in_unit(h, b), compressed);
  write_column(file, group + "/rewards", 0, std::vector<double>(b.reward.begin(), b.reward.end()), compressed);
  file.write_flags(group + "/terminations", b.terminated, compressed);
  file.write_flags(group + "/truncations", b.truncated, compressed);
  // The first row is of the reset, as Minari's collector has it.
  const auto write_info = [&](const char* name, std::vector<std::uint8_t> of_steps) {
    of_steps.insert(of_steps.begin(), 0);
    file.write_flags(group + name, of_steps, compressed);
  };
  write_info("/infos/success", b.success);
  if (h.has_failed) write_info("/infos/failed", b.failed);
  file.write_attribute(group, "id", static_cast<std::int64_t>(e));
  file.write_attribute(group, "total_steps", static_cast<std::int64_t>(b.steps()));
  // No attribute seed: an environment's random numbers come from one stream, and no episode has a seed of its own.
  file.write_attribute(group, "rewards_sum", sum(b.reward));
  file.write_attribute(group, "lane", static_cast<std::int64_t>(b.lane[0]));
  file.write_attribute(group, "run_step", static_cast<std::int64_t>(b.run_step[0]));
  file.write_attribute(group, "purpose", static_cast<std::int64_t>(b.purpose[0]));
}

// Minari's directory of all datasets.
fs::path minari_root() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string root = variable("MINARI_DATASETS_PATH"), home = variable("HOME");
  return !root.empty() ? fs::path(root) : home.empty() ? fs::path() : fs::path(home) / ".minari/datasets";
}

// The names below Minari's root; only the last if the directory is elsewhere.
fs::path dataset_id(const fs::path& out) {
  const fs::path root = minari_root();
  if (root.empty()) return out.filename();
  const fs::path relative =
      fs::weakly_canonical(fs::absolute(out)).lexically_relative(fs::weakly_canonical(fs::absolute(root)));
  return relative.empty() || relative.native().starts_with("..") ? out.filename() : relative;
}

// One blank in the name of a namespace, and Minari lists no dataset of its root any more.
void expect_minari_names(const fs::path& out, const fs::path& id) {
  if (!has_version(id.filename().string()))
    wrong(out,
          "this is no name of a Minari dataset; expected letters, digits, _ and -, and -v with a number at the "
          "end, e.g. fetch-reach-v0");
  for (const fs::path& name : id.parent_path())
    if (!std::all_of(name.native().begin(), name.native().end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; }))
      wrong(out, fmt::format("\"{}\" is no name of a namespace of Minari; expected letters, digits, _ and -",
                             name.string()));
}

// The environment of Gymnasium or Gymnasium-Robotics that is the same task; nothing if there is none.
struct GymnasiumEnvironment {
  std::string entry_point;  // empty where it would need a whole map as an argument
  nlohmann::json kwargs = nlohmann::json::object();
  std::string requirement;
};
std::optional<GymnasiumEnvironment> gymnasium_environment(const EpisodeHeader& h) {
  const std::string& name = h.environment;
  if (name == "Pendulum-v1")
    return GymnasiumEnvironment{"gymnasium.envs.classic_control.pendulum:PendulumEnv", nlohmann::json::object(),
                                "gymnasium"};
  if (name.starts_with("AntMaze_") && name.find("Euler") == name.npos)
    return GymnasiumEnvironment{"", nlohmann::json::object(), "gymnasium-robotics"};
  for (const auto& [task, module, type] :
       {std::tuple{"FetchPickAndPlace", "pick_and_place", "PickAndPlace"}, std::tuple{"FetchPush", "push", "Push"},
        std::tuple{"FetchReach", "reach", "Reach"}, std::tuple{"FetchSlide", "slide", "Slide"}})
    for (const auto& [suffix, reward] : {std::pair{"", "sparse"}, std::pair{"Dense", "dense"}})
      if (name.starts_with(fmt::format("{}{}-v", task, suffix)))
        return GymnasiumEnvironment{fmt::format("gymnasium_robotics.envs.fetch.{}:MujocoFetch{}Env", module, type),
                                    {{"reward_type", reward}},
                                    "gymnasium-robotics"};
  return {};
}

// What an environment's settings are when nothing is set; empty for one that is not known.
std::string default_settings(const std::string& environment) {
  for (const EnvEntry& entry : environments())
    if (entry.name == environment) {
      const std::unique_ptr<EnvSettings> settings = entry.settings();
      return to_toml([&](ConfigVisitor& v) {
        v.enter({"env", "", "", 0, 0});
        settings->visit(v);
        v.leave();
      });
    }
  return "";
}

// The settings of a configuration's environment as texts. What an older revision did not know has its default value.
std::map<std::string, std::string> settings_of(const fs::path& path, const std::string& environment,
                                               const std::string& config) {
  std::map<std::string, std::string> settings;
  for (const std::string& text : {default_settings(environment), config}) {
    try {
      const TomlValues values = TomlValues::from_text(text, "config");
      for (const auto& [key, value] : values.all())
        if (key.starts_with("env.") && key != "env.name") settings[key] = show(value);
    } catch (const UsageError& e) {
      wrong(path, fmt::format("its configuration cannot be read: {}", e.what()));
    }
  }
  return settings;
}

// "env.bits is 4 there, but 5 here" for every setting of the environment that differs. A number that is left out is
// drawn in every episode.
std::vector<std::string> setting_differences(const fs::path& path, const std::string& environment,
                                             const std::string& there, const std::string& here) {
  std::vector<std::string> sentences;
  if (there.empty() || here.empty()) return sentences;
  const auto a = settings_of(path, environment, there), b = settings_of(path, environment, here);
  std::map<std::string, std::string> all = a;
  all.insert(b.begin(), b.end());
  const auto value = [](const std::map<std::string, std::string>& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string("left out") : found->second;
  };
  for (const auto& [key, ignored] : all)
    if (value(a, key) != value(b, key))
      sentences.push_back(fmt::format("{} is {} there, but {} here", key, value(a, key), value(b, key)));
  return sentences;
}

// {"id": ..., ...} as Gymnasium writes it. The id is that of a Gymnasium environment only if the settings are its own.
nlohmann::json env_spec(const fs::path& path, const EpisodeHeader& h, std::string& requirement) {
  nlohmann::json spec = {{"id", "goalpost/" + h.environment},
                         {"entry_point", nullptr},
                         {"max_episode_steps", h.max_steps},
                         {"kwargs", nlohmann::json::object()},
                         {"additional_wrappers", nlohmann::json::array()}};
  std::vector<std::string> changed =
      setting_differences(path, h.environment, h.config, default_settings(h.environment));
  std::erase_if(changed, [](const std::string& s) { return s.starts_with("env.task.max_steps "); });
  const auto gymnasium = gymnasium_environment(h);
  if (!gymnasium || h.config.empty() || !changed.empty()) return spec;
  spec["id"] = h.environment;
  if (!gymnasium->entry_point.empty()) spec["entry_point"] = gymnasium->entry_point;
  spec["kwargs"] = gymnasium->kwargs;
  requirement = gymnasium->requirement;
  return spec;
}

// @throws DatasetMismatch naming what differs
void expect_same_environment(const fs::path& path, const char* what, const DatasetIdentity& there, const EnvSpec& spec,
                             const std::string& config) {
  std::vector<std::string> sentences;
  if (!there.environment.empty() && there.environment != spec.name)
    sentences.push_back(fmt::format("the environment is {} there, but {} here", there.environment, spec.name));
  const auto compare = [&](const char* name, const std::optional<double>& a, double b) {
    if (a && *a != b) sentences.push_back(fmt::format("{} is {} there, but {} here", name, *a, b));
  };
  compare("the goal's radius", there.goal_radius, static_cast<double>(spec.goal.radius));
  compare("the time per step", there.dt, spec.dt);
  // The settings of another environment are others.
  if (sentences.empty()) sentences = setting_differences(path, spec.name, there.config, config);
  if (!sentences.empty())
    throw DatasetMismatch(fmt::format("{}: {} of another task: {}", path.string(), what, fmt::join(sentences, "; ")));
}

// The environment that a policy or a run was trained in, as its configuration says.
DatasetIdentity state_identity(const fs::path& path) {
  const std::string config = Hdf5File::open(path).read_text("", "config");
  if (config.empty()) wrong(path, "the file does not say what it was trained in; expected no --env");
  try {
    const TomlValues values = TomlValues::from_text(config, path.string());
    const TomlValues::Value* name = values.find("env.name");
    const std::string* text = name == nullptr ? nullptr : std::get_if<std::string>(&name->value);
    if (text == nullptr) wrong(path, "its configuration does not name an environment; expected env.name");
    return {.environment = *text, .config = config};
  } catch (const UsageError& e) {
    wrong(path, fmt::format("its configuration cannot be read: {}", e.what()));
  }
}

DatasetSummary read_recorded(const fs::path& path) {
  const EpisodeReader reader(path);
  DatasetSummary s{.header = reader.header(),
                   .files = reader.files().size(),
                   .episodes = reader.episodes(),
                   .steps = reader.steps()};
  EpisodeBlock b;
  for (std::uint64_t e = 0; e < reader.episodes(); ++e, b.clear()) {
    reader.read(e, b);
    s.successes += b.success.back();
    s.mean_return += sum(b.reward) / static_cast<double>(reader.episodes());
    ++s.by_purpose[b.purpose[0]];
  }
  for (const fs::path& file : reader.files()) s.bytes += fs::file_size(file);
  return s;
}

// Calls f with the header and no episode, then with each of the longest prefix of valid ones; a sentence says what
// comes behind them. What f throws passes through.
std::string each_whole_episode(const fs::path& path,
                               const std::function<void(const EpisodeHeader&, const EpisodeBlock&)>& f) {
  std::vector<fs::path> files;
  const fs::path parts = fs::is_directory(path) && fs::is_directory(episode_parts(path)) ? episode_parts(path) : path;
  if (!fs::is_directory(parts)) {
    files = {parts};
  } else if (fs::is_regular_file(episode_file(parts))) {
    files = {episode_file(parts)};
  } else {
    for (const auto& entry : fs::directory_iterator(parts))
      if (entry.path().extension() == ".h5") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  }
  if (files.empty()) wrong(path, "there are no episodes; expected episodes.h5, or sealed parts 000000.h5, ...");
  EpisodeHeader header;
  EpisodeBlock b;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto left_out = [&](const std::string& what) {
      return fmt::format("left out: {}{}", what,
                         i + 1 < files.size() ? fmt::format("; and the {} parts after it", files.size() - i - 1) : "");
    };
    std::optional<EpisodeReader> reader;
    try {
      reader.emplace(files[i]);
    } catch (const std::runtime_error& error) {
      if (i == 0) throw;
      return left_out(error.what());
    }
    if (i == 0) header = reader->header();
    if (!reader->header().same_spaces(header))
      return left_out(fmt::format("{} is of {} with other spaces", files[i].string(), reader->header().environment));
    f(header, {});
    for (std::uint64_t e = 0; e < reader->episodes(); ++e) {
      b.clear();
      try {
        reader->read(e, b);
      } catch (const std::runtime_error& error) {
        return left_out(
            fmt::format("episodes {} to {} of {}: {}", e, reader->episodes() - 1, files[i].string(), error.what()));
      }
      f(header, b);
    }
  }
  return "";
}

}  // namespace

DatasetSummary check_dataset(const fs::path& path) {
  try_reading(path, [&] { read_recorded(path); });
  return read_recorded(path);
}

std::vector<std::string> check_files(const fs::path& path, const std::optional<EnvSpec>& spec,
                                     const std::string& config) {
  const std::string name = path.string();
  const auto count = [&](std::uint64_t episodes, std::uint64_t steps) {
    return fmt::format("{}: {} episodes, {} steps, nothing wrong", name, episodes, steps);
  };
  bool recorded = fs::is_directory(path) && !minari_data(path);
  if (fs::is_regular_file(path)) {
    try_reading(path, [&] { kind_of(path); });
    const std::string kind = kind_of(path);
    if (kind == kEpisodeKind) {
      recorded = true;
    } else if (!kind.empty()) {
      const StateSummary s = check_state(path);
      if (spec) expect_same_environment(path, "it is", state_identity(path), *spec, config);
      return {fmt::format("{}: a {}, {} matrices and counters, {:.1f} MB, nothing wrong", name, s.kind, s.datasets,
                          static_cast<double>(s.bytes) / 1e6)};
    }
  }
  if (!recorded) {
    if (!spec)
      wrong(path, fmt::format("this is {}, which does not say all of its spaces; expected --env with its environment",
                              minari_data(path) ? "a Minari dataset" : "no file of goalpost's own"));
    expect_same_task(path, *spec, config);
    std::uint64_t episodes = 0, steps = 0;
    replay_dataset(path, *spec, [&](const StepBatch& step) {
      ++steps;
      episodes += step.ended(0);
    });
    return {count(episodes, steps)};
  }
  std::vector<std::string> sentences;
  if (fs::is_directory(path)) {
    std::vector<fs::path> states;
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".h5" && entry.path() != episode_file(path)) states.push_back(entry.path());
    std::sort(states.begin(), states.end());
    if (!fs::is_regular_file(path / "config.toml")) states.clear();
    for (const fs::path& file : states) sentences.push_back(check_files(file, spec, config).front());
    const bool has_parts = fs::is_directory(episode_parts(path)) && !fs::is_empty(episode_parts(path));
    if (!states.empty() && !has_parts && !fs::is_regular_file(episode_file(path))) return sentences;
  }
  const DatasetSummary s = check_dataset(path);
  if (spec) {
    expect_spaces(path, s.header, *spec);
    expect_same_task(path, *spec, config);
  }
  sentences.push_back(count(s.episodes, s.steps));
  if (!s.header.has_failed) sentences.push_back(fmt::format("{}: {}", name, kGuessedFailures));
  return sentences;
}

std::string repair_dataset(const fs::path& path, const fs::path& out, bool compressed) {
  expect_new(out);
  try_reading(path, [&] { each_whole_episode(path, [](const EpisodeHeader&, const EpisodeBlock&) {}); });
  std::uint64_t kept = 0;
  std::unique_ptr<EpisodeFileWriter> writer;
  const std::string dropped = each_whole_episode(path, [&](const EpisodeHeader& header, const EpisodeBlock& b) {
    if (!writer) writer = std::make_unique<EpisodeFileWriter>(out, header, compressed);
    writer->append(b);
    kept += b.episodes();
  });
  writer->close();
  return dropped.empty() ? "" : fmt::format("{} episodes are in {}; {}", kept, out.string(), dropped);
}

void export_minari(const fs::path& path, const fs::path& out, bool compressed) {
  const fs::path name = out.has_filename() ? out : out.parent_path(), id = dataset_id(name);
  expect_minari_names(out, id);
  if (fs::exists(fs::symlink_status(name))) wrong(name, "the directory is there already; expected a new name");
  try_reading(path, [&] { read_recorded(path); });
  const EpisodeReader reader(path);
  const EpisodeHeader& h = reader.header();
  const fs::path temporary = temporary_name(name), data = temporary / "data";
  fs::remove_all(temporary);
  fs::create_directories(data);
  try {
    Hdf5File file = Hdf5File::create(data / "main_data.hdf5");
    EpisodeBlock b;
    for (std::uint64_t e = 0; e < reader.episodes(); ++e, b.clear()) {
      reader.read(e, b);
      write_minari_episode(file, e, h, b, compressed);
    }
    file.close();
    sync_file(data / "main_data.hdf5");
    const double megabytes = static_cast<double>(fs::file_size(data / "main_data.hdf5")) / 1e6;
    nlohmann::ordered_json j = {{"dataset_id", id.generic_string()},
                                {"minari_version", "0.5.3"},
                                {"data_format", "hdf5"},
                                {"total_episodes", reader.episodes()},
                                {"total_steps", reader.steps()},
                                {"observation_space", observation_space(h)},
                                {"action_space", action_space(h)},
                                {"dataset_size", std::round(megabytes * 10) / 10},
                                {"author", nlohmann::json::array()},
                                {"description", fmt::format("Episodes of {}, recorded by goalpost", h.environment)},
                                {"goalpost_environment", h.environment},
                                {"goalpost_goal_radius", h.goal_radius},
                                {"goalpost_dt", h.dt},
                                {"goalpost_seed", h.seed},
                                {"goalpost_config", h.config}};
    std::string requirement;
    if (has_version(h.environment)) j["env_spec"] = env_spec(path, h, requirement).dump();
    if (!requirement.empty()) j["requirements"] = {requirement};
    write_file_atomically(data / "metadata.json", j.dump(2) + "\n");
    sync_directory(temporary);
    fs::rename(temporary, name);
    sync_directory(name.parent_path());
    // Namespaces are marked as such.
    fs::path directory = fs::absolute(name).parent_path();
    for (fs::path rest = id.parent_path(); !rest.empty();
         rest = rest.parent_path(), directory = directory.parent_path())
      if (!fs::exists(directory / "namespace_metadata.json"))
        write_file_atomically(directory / "namespace_metadata.json", "{}\n");
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
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

void import_dataset(const fs::path& path, const EnvSpec& spec, const fs::path& out, bool compressed,
                    const std::string& config) {
  expect_new(out);
  expect_same_task(path, spec, config);
  try_reading(path, [&] { each_episode(path, spec, [](const EpisodeBlock&) {}); });
  const std::string own = dataset_identity(path).config;
  EpisodeFileWriter writer(out, EpisodeHeader::of(spec, 0, own.empty() ? config : own), compressed);
  each_episode(path, spec, [&](const EpisodeBlock& b) { writer.append(b); });
  writer.close();
}

DatasetIdentity dataset_identity(const fs::path& path) {
  const auto read = [&]() -> DatasetIdentity {
    if (const auto data = minari_data(path)) return read_metadata(*data / "metadata.json").identity;
    if (fs::is_regular_file(path)) {
      const Hdf5File file = Hdf5File::open(path);
      if (!file.has_attribute("", "kind") && file.has("observations")) {
        const auto text = [&](const char* name) {
          return file.has_attribute("", name) ? file.read_text("", name) : std::string();
        };
        const auto number = [&](const char* name) -> std::optional<double> {
          if (!file.has_attribute("", name)) return {};
          return file.read_real("", name);
        };
        return {.environment = text("environment"),
                .config = text("config"),
                .goal_radius = number("goal_radius"),
                .dt = number("dt")};
      }
    }
    const EpisodeHeader h = EpisodeReader(path).header();
    return {.environment = h.environment,
            .config = h.config,
            .goal_radius = h.goal_radius,
            .dt = h.dt,
            .guesses_failures = !h.has_failed};
  };
  try_reading(path, read);
  return read();
}

void expect_same_task(const fs::path& path, const EnvSpec& spec, const std::string& config) {
  expect_same_environment(path, "the episodes are", dataset_identity(path), spec, config);
}

std::string filter_dataset(const fs::path& path, const EpisodeFilter& filter, const fs::path& out, bool compressed) {
  expect_new(out);
  const DatasetSummary all = check_dataset(path);
  const EpisodeReader reader(path);
  EpisodeFileWriter writer(out, reader.header(), compressed);
  std::uint64_t kept = 0;
  EpisodeBlock b;
  for (std::uint64_t e = 0; e < reader.episodes() && (filter.first == 0 || kept < filter.first); ++e) {
    b.clear();
    reader.read(e, b);
    const double total = sum(b.reward);
    const bool fits =
        (!filter.success || b.success.back() != 0) && (!filter.failed || b.failed.back() != 0) &&
        (!filter.purpose || b.purpose[0] == static_cast<std::uint8_t>(*filter.purpose)) &&
        (!filter.min_return || total >= *filter.min_return) && (!filter.max_return || total <= *filter.max_return) &&
        (!filter.steps || (b.run_step[0] >= filter.steps->first && b.run_step[0] <= filter.steps->second));
    if (!fits) continue;
    writer.append(b);
    ++kept;
  }
  if (kept == 0)
    wrong(path, fmt::format("none of {} episodes is left; expected a filter that keeps at least one", all.episodes));
  writer.close();
  return fmt::format("{} of {} episodes are in {}", kept, all.episodes, out.string());
}

std::string merge_datasets(const std::vector<fs::path>& paths, const fs::path& out, bool compressed) {
  expect_new(out);
  EpisodeHeader header;
  bool any_failed = false;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    check_dataset(paths[i]);
    const EpisodeReader reader(paths[i]);
    const EpisodeHeader& h = reader.header();
    if (i == 0) header = h;
    const std::string first = paths[0].string();
    if (!h.same_spaces(header) || h.action_low != header.action_low || h.action_high != header.action_high ||
        h.goal_radius != header.goal_radius || h.dt != header.dt)
      wrong(paths[i], fmt::format("the episodes are of {} with the goal radius {}, those of {} of {} with {}; expected "
                                  "the same environment and spaces",
                                  h.environment, h.goal_radius, first, header.environment, header.goal_radius));
    if (const auto found = setting_differences(paths[i], h.environment, h.config, header.config); !found.empty())
      wrong(paths[i],
            fmt::format("the episodes are of another task than those of {}: {}", first, fmt::join(found, "; ")));
    header.max_steps = std::max(header.max_steps, h.max_steps);
    header.has_failed = header.has_failed && h.has_failed;
    EpisodeBlock b;
    for (std::uint64_t e = 0; e < reader.episodes() && !any_failed; ++e, b.clear()) {
      reader.read(e, b);
      any_failed = b.failed.back() != 0;
    }
  }
  if (any_failed && !header.has_failed)
    wrong(out,
          "some of the files say which episodes failed, and others were written before that was kept; expected "
          "all to say so, or none");
  EpisodeFileWriter writer(out, header, compressed);
  std::uint64_t episodes = 0;
  EpisodeBlock b;
  for (const fs::path& path : paths) {
    const EpisodeReader reader(path);
    for (std::uint64_t e = 0; e < reader.episodes(); ++e, ++episodes) {
      b.clear();
      reader.read(e, b);
      writer.append(b);
    }
  }
  writer.close();
  return fmt::format("{} episodes of {} files are in {}", episodes, paths.size(), out.string());
}

std::string dataset_digest(const fs::path& path) {
  if (const auto data = minari_data(path)) return content_digest({*data / "main_data.hdf5", *data / "metadata.json"});
  return content_digest(fs::is_directory(path) ? EpisodeReader(path).files() : std::vector<fs::path>{path});
}

bool replay_dataset(const fs::path& path, const EnvSpec& spec, const std::function<void(const StepBatch&)>& observe,
                    const std::function<bool()>& stop) {
  const auto state = [&] {
    return ObsBatch{Matrix::Zero(spec.obs_dim, 1), Matrix::Zero(spec.goal.dim, 1), Matrix::Zero(spec.goal.dim, 1)};
  };
  StepBatch step{.before = state(),
                 .action = Matrix::Zero(spec.action.dim, 1),
                 .reward = Matrix::Zero(1, 1),
                 .terminated = {0},
                 .truncated = {0},
                 .success = {0},
                 .failed = {0},
                 .after = state()};
  const auto copy = [](const std::vector<float>& rows, std::uint64_t row, Matrix& to) {
    const auto size = static_cast<std::uint64_t>(to.rows());
    std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(row * size), size, to.data());
  };
  struct Stopped {};
  const auto replay = [&](const EpisodeBlock& b) {
    if (stop()) throw Stopped();
    for (std::uint64_t t = 0; t < b.steps(); ++t) {
      for (const auto& [row, to] : {std::pair{t, &step.before}, std::pair{t + 1, &step.after}}) {
        copy(b.observation, row, to->obs);
        copy(b.achieved, row, to->achieved);
        copy(b.desired, row, to->desired);
      }
      copy(b.action, t, step.action);
      step.reward(0, 0) = b.reward[t];
      step.terminated[0] = b.terminated[t];
      step.truncated[0] = b.truncated[t];
      step.success[0] = b.success[t];
      step.failed[0] = b.failed[t];
      observe(step);
    }
  };
  try_reading(
      path, [&] { each_episode(path, spec, [](const EpisodeBlock&) {}); }, stop);
  if (stop()) return false;  // perhaps before the file was known to be sound
  try {
    each_episode(path, spec, replay);
  } catch (const Stopped&) {
    return false;
  }
  return true;
}

}  // namespace goalpost
