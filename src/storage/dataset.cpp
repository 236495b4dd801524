// Reads, checks and imports datasets of any format.
#include "storage/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/matrix.h"
#include "storage/checkpoint.h"
#include "storage/dataset_d4rl.h"
#include "storage/dataset_foreign.h"
#include "storage/dataset_minari.h"
#include "storage/dataset_summary.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "storage/episode_writer.h"
#include "storage/file.h"
#include "storage/file_error.h"
#include "storage/hdf5_file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"
#include "storage/try_reading.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

void expect_same(const fs::path& path, const char* what, std::int64_t found, std::int64_t expected,
                 const EnvSpec& spec) {
  if (found != expected) wrong(path, fmt::format("{} = {}; expected {}, as {} has", what, found, expected, spec.name));
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
    if (!reader.header().has_failed) foreign::guess_failures(spec, block);
    f(block);
  }
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

// The environment that a policy or a run was trained in, from its configuration.
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

}  // namespace

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
    if (!fs::is_regular_file(path / kConfigFile)) states.clear();
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
  if (stop()) return false;  // possibly before the file was checked
  try {
    each_episode(path, spec, replay);
  } catch (const Stopped&) {
    return false;
  }
  return true;
}

}  // namespace goalpost
