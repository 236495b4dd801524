// Reads and writes the datasets of Minari.
#include "storage/dataset_minari.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/dataset_summary.h"
#include "storage/episode_reader.h"
#include "storage/file.h"
#include "storage/file_error.h"
#include "storage/hdf5_file.h"
#include "storage/try_reading.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

using namespace foreign;

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

// "name-v3": the form of the last part of a Minari dataset's name, and of a Gymnasium environment's.
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
  // The first row is of the reset, as in Minari's collector.
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

// With a blank in the name of a namespace, Minari lists no dataset of its root.
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
  std::string entry_point;  // empty if it needs a whole map as an argument
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

}  // namespace

std::optional<fs::path> minari_data(const fs::path& path) {
  for (const fs::path& data : {path / "data", path})
    if (fs::is_regular_file(data / "main_data.hdf5")) return data;
  return {};
}

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

void export_minari(const fs::path& path, const fs::path& out, bool compressed) {
  const fs::path name = out.has_filename() ? out : out.parent_path(), id = dataset_id(name);
  expect_minari_names(out, id);
  if (fs::exists(fs::symlink_status(name))) wrong(name, "the directory already exists; expected a new name");
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

}  // namespace goalpost
