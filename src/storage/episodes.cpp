#include "storage/episodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "storage/file.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

static_assert(std::is_same_v<Scalar, float>, "the files hold float32");

constexpr std::uint64_t kSchema = 2, kSchemaWithoutFailed = 1;
constexpr std::uint64_t kChunkBytes = std::uint64_t(1) << 17, kStepsAtOnce = 50'000;

// The columns of a file that have one row per state, or per step: f(name, numbers per row, the block's vector).
template <class F>
void for_states(const EpisodeHeader& h, EpisodeBlock& b, F f) {
  f("observation", h.obs_dim, b.observation);
  f("achieved_goal", h.goal_dim, b.achieved);
  f("desired_goal", h.goal_dim, b.desired);
}
template <class F>
void for_steps(const EpisodeHeader& h, EpisodeBlock& b, F f) {
  f("action", h.action_dim, b.action);
  f("reward", 0, b.reward);
  f("terminated", 0, b.terminated);
  f("truncated", 0, b.truncated);
  f("success", 0, b.success);
  f("failed", 0, b.failed);
}
template <class F>
void for_episodes(EpisodeBlock& b, F f) {
  f("episode/end", 0, b.end);
  f("episode/lane", 0, b.lane);
  f("episode/run_step", 0, b.run_step);
  f("episode/purpose", 0, b.purpose);
}

Hdf5Shape row_shape(int numbers) { return numbers > 0 ? Hdf5Shape{static_cast<std::uint64_t>(numbers)} : Hdf5Shape{}; }

// Goals of 0 numbers have no dataset, and files of version 1 do not say what failed.
bool is_there(std::string_view name, const EpisodeHeader& h) {
  if (name == "failed") return h.has_failed;
  return h.goal_dim > 0 || (name != "achieved_goal" && name != "desired_goal");
}

void append_column(std::vector<float>& to, const Matrix& from, std::uint64_t columns) {
  to.insert(to.end(), from.data(), from.data() + from.rows() * static_cast<Index>(columns));
}

[[noreturn]] void wrong(const fs::path& file, const std::string& sentence) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), sentence));
}

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
  // The schemas of other kinds are others.
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

std::vector<fs::path> part_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().extension() == ".h5") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::uint64_t episodes_in(const fs::path& part) { return EpisodeReader(part).episodes(); }

}  // namespace

fs::path episode_parts(const fs::path& directory) { return directory / "episodes"; }
fs::path episode_file(const fs::path& directory) { return directory / "episodes.h5"; }

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

EpisodeFileWriter::EpisodeFileWriter(fs::path path, const EpisodeHeader& h, bool compressed)
    : path_(std::move(path)), file_(Hdf5File::create(temporary_name(path_))), header_(h), compressed_(compressed) {
  file_.write_attribute("", "schema", h.has_failed ? kSchema : kSchemaWithoutFailed);
  file_.write_attribute("", "kind", kEpisodeKind);
  file_.write_attribute("", "environment", h.environment);
  file_.write_attribute("", "config", h.config);
  for (const auto& [name, n] :
       {std::pair{"obs_dim", h.obs_dim}, std::pair{"goal_dim", h.goal_dim}, std::pair{"action_dim", h.action_dim},
        std::pair{"choices", h.choices}, std::pair{"max_steps", h.max_steps}})
    file_.write_attribute("", name, static_cast<std::uint64_t>(n));
  file_.write_attribute("", "goal_radius", h.goal_radius);
  file_.write_attribute("", "dt", h.dt);
  file_.write_attribute("", "seed", h.seed);
  if (h.choices == 0) {
    for (const auto& [name, range] :
         {std::pair{"action_low", &h.action_low}, std::pair{"action_high", &h.action_high}}) {
      file_.create_rows<double>(name, {}, range->size(), false);
      file_.append(name, std::span<const double>(*range));
    }
  }
}

// The columns, in chunks no longer than what is there to fill the first of them: a chunk is stored whole.
void EpisodeFileWriter::create_columns() {
  const auto create = [&]<class T>(const char* name, int numbers, std::vector<T>& column) {
    const std::uint64_t width = static_cast<std::uint64_t>(std::max(numbers, 1)), rows = column.size() / width;
    if (is_there(name, header_))
      file_.create_rows<T>(
          name, row_shape(numbers),
          std::clamp<std::uint64_t>(kChunkBytes / (width * sizeof(T)), 1, std::max<std::uint64_t>(rows, 1)),
          compressed_);
  };
  for_states(header_, pending_, create);
  for_steps(header_, pending_, create);
  for_episodes(pending_, create);
  created_ = true;
}

EpisodeFileWriter::~EpisodeFileWriter() {
  std::error_code ignored;
  if (!closed_) fs::remove(temporary_name(path_), ignored);
}

void EpisodeFileWriter::append(const EpisodeBlock& block) {
  for (std::uint64_t e = 0; e < block.episodes(); ++e) {
    pending_.append_episode(header_, block, e);
    if (pending_.steps() >= kStepsAtOnce) write_pending();
  }
}

void EpisodeFileWriter::write_pending() {
  if (!created_) create_columns();
  for (std::uint64_t& end : pending_.end) end += steps_;
  steps_ += pending_.steps();
  const auto write = [&]<class T>(const char* name, int, std::vector<T>& column) {
    if (!column.empty() && is_there(name, header_)) file_.append(name, std::span<const T>(column));
  };
  for_states(header_, pending_, write);
  for_steps(header_, pending_, write);
  for_episodes(pending_, write);
  pending_.clear();
}

void EpisodeFileWriter::close() {
  write_pending();
  file_.close();
  replace_by_temporary(path_);
  closed_ = true;
}

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

EpisodeStage::EpisodeStage(const EnvSpec& spec, int lanes, EpisodePurpose purpose) : purpose_(purpose) {
  const Index n = spec.max_steps;
  const Lane lane{.observation = Matrix::Zero(spec.obs_dim, n + 1),
                  .achieved = Matrix::Zero(spec.goal.dim, n + 1),
                  .desired = Matrix::Zero(spec.goal.dim, n + 1),
                  .action = Matrix::Zero(spec.action.dim, n),
                  .reward = Matrix::Zero(1, n),
                  .flags = Matrix::Zero(3, n)};
  lanes_.assign(static_cast<std::size_t>(lanes), lane);
}

std::uint64_t EpisodeStage::bytes(const EnvSpec& spec) {
  const Index n = spec.max_steps;
  return static_cast<std::uint64_t>((n + 1) * (spec.obs_dim + 2 * spec.goal.dim) + n * (spec.action.dim + 4)) *
         sizeof(Scalar);
}

void EpisodeStage::clear() {
  for (Lane& lane : lanes_) lane.steps = 0;
}

void EpisodeStage::add(const StepBatch& step, std::size_t i) {
  if (i >= lanes_.size() || lanes_[i].steps >= static_cast<std::uint64_t>(lanes_[i].action.cols()) ||
      step.after.obs.rows() != lanes_[i].observation.rows())
    throw std::logic_error(
        fmt::format("EpisodeStage::add: step {} of lane {} with {} observations; expected at most {} steps in {} lanes "
                    "with {} observations",
                    i < lanes_.size() ? lanes_[i].steps + 1 : 1, i, step.after.obs.rows(), lanes_[0].action.cols(),
                    lanes_.size(), lanes_[0].observation.rows()));
  Lane& lane = lanes_[i];
  const Index t = static_cast<Index>(lane.steps), j = static_cast<Index>(i);
  const auto state = [&](const ObsBatch& from, Index at) {
    lane.observation.col(at) = from.obs.col(j);
    lane.achieved.col(at) = from.achieved.col(j);
    lane.desired.col(at) = from.desired.col(j);
  };
  if (t == 0) state(step.before, 0);
  state(step.after, t + 1);
  lane.action.col(t) = step.action.col(j);
  lane.reward(0, t) = step.reward(0, j);
  lane.flags(0, t) = step.terminated[i];
  lane.flags(1, t) = step.truncated[i];
  lane.flags(2, t) = step.success[i];
  lane.failed = step.failed[i];
  ++lane.steps;
}

void EpisodeStage::move_episode(std::size_t i, std::uint64_t run_step, EpisodeBlock& b) {
  Lane& lane = lanes_[i];
  append_column(b.observation, lane.observation, lane.steps + 1);
  append_column(b.achieved, lane.achieved, lane.steps + 1);
  append_column(b.desired, lane.desired, lane.steps + 1);
  append_column(b.action, lane.action, lane.steps);
  append_column(b.reward, lane.reward, lane.steps);
  for (Index t = 0; t < static_cast<Index>(lane.steps); ++t) {
    b.terminated.push_back(static_cast<std::uint8_t>(lane.flags(0, t)));
    b.truncated.push_back(static_cast<std::uint8_t>(lane.flags(1, t)));
    b.success.push_back(static_cast<std::uint8_t>(lane.flags(2, t)));
  }
  b.failed.resize(b.success.size());
  b.failed.back() = lane.failed;
  if (b.terminated.back() == 0) b.truncated.back() = 1;
  b.end.push_back(b.reward.size());
  b.lane.push_back(i);
  b.run_step.push_back(run_step);
  b.purpose.push_back(static_cast<std::uint8_t>(purpose_));
  lane.steps = 0;
}

void EpisodeStage::visit_state(StateVisitor& v) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const StateVisitor::Scope scope(v, "lane" + std::to_string(i));
    Lane& lane = lanes_[i];
    v.visit("steps", lane.steps);
    const Index n = static_cast<Index>(lane.steps);
    if (lane.steps >= static_cast<std::uint64_t>(lane.action.cols()))
      throw std::runtime_error(
          fmt::format("EpisodeStage: lane {} was saved with {} steps of its episode; expected "
                      "fewer than {}",
                      i, lane.steps, lane.action.cols()));
    const Index states = n == 0 ? 0 : n + 1;
    v.visit("observation", lane.observation.leftCols(states));
    v.visit("achieved", lane.achieved.leftCols(states));
    v.visit("desired", lane.desired.leftCols(states));
    v.visit("action", lane.action.leftCols(n));
    v.visit("reward", lane.reward.leftCols(n));
    v.visit("flags", lane.flags.leftCols(n));
  }
}

EpisodeRecorder::EpisodeRecorder(fs::path directory, const EnvSpec& spec, EpisodeHeader header, Options options)
    : directory_(std::move(directory)),
      parts_(episode_parts(directory_)),
      header_(std::move(header)),
      options_(std::move(options)) {
  fs::create_directories(parts_);
  // A block takes whole episodes until it is full, and one more.
  const std::uint64_t state_bytes =
      static_cast<std::uint64_t>(spec.obs_dim + 2 * spec.goal.dim + spec.action.dim + 2) * sizeof(float);
  const std::uint64_t steps =
      std::max<std::uint64_t>(options_.block_bytes / state_bytes, 1) + static_cast<std::uint64_t>(spec.max_steps);
  const auto reserve_rows = [](std::uint64_t rows) {
    return [rows](const char*, int numbers, auto& column) {
      column.reserve(rows * static_cast<std::uint64_t>(std::max(numbers, 1)));
    };
  };
  for (int i = 0; i < 3; ++i) {
    auto block = std::make_unique<EpisodeBlock>();
    for_states(header_, *block, reserve_rows(2 * steps));  // an episode of one step has two states
    for_steps(header_, *block, reserve_rows(steps));
    for_episodes(*block, reserve_rows(steps));
    free_.push_back(std::move(block));
  }
  full_.reserve(free_.size());
  current_ = std::move(free_.back());
  free_.pop_back();
  options_.block_bytes = static_cast<std::size_t>((steps - static_cast<std::uint64_t>(spec.max_steps)) * state_bytes);
  writer_ = std::thread([this] { work(); });
}

EpisodeRecorder::~EpisodeRecorder() {
  {
    const std::unique_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

bool EpisodeRecorder::active() const {
  const std::unique_lock lock(mutex_);
  return !failed_;
}

fs::path EpisodeRecorder::part_path(std::uint64_t number) const { return parts_ / fmt::format("{:06}.h5", number); }

void EpisodeRecorder::append(EpisodeStage& stage, const StepBatch& step, std::size_t lane, std::uint64_t run_step) {
  if (!step.is_unstable(lane)) stage.add(step, lane);
  if (!step.ended(lane) || stage.steps(lane) == 0) return;
  stage.move_episode(lane, run_step, *current_);
  ++episodes_;
  const std::uint64_t row =
      static_cast<std::uint64_t>(header_.obs_dim + 2 * header_.goal_dim + header_.action_dim + 2) * sizeof(float);
  if (current_->steps() * row < options_.block_bytes) return;
  std::unique_lock lock(mutex_);
  hand_over(lock);
}

// The current block goes to the writer, and an empty one takes its place as soon as there is one.
void EpisodeRecorder::hand_over(std::unique_lock<std::mutex>& lock) {
  if (current_->episodes() == 0) return;
  full_.push_back(std::move(current_));
  changed_.notify_all();
  changed_.wait(lock, [&] { return !free_.empty(); });
  current_ = std::move(free_.back());
  free_.pop_back();
}

void EpisodeRecorder::seal() {
  std::unique_lock lock(mutex_);
  hand_over(lock);
  changed_.wait(lock, [&] { return full_.empty() && !writing_; });
}

void EpisodeRecorder::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !full_.empty(); });
    if (full_.empty()) return;
    std::unique_ptr<EpisodeBlock> block = std::move(full_.front());
    full_.erase(full_.begin());
    writing_ = true;
    const std::uint64_t number = part_episodes_.size();
    const bool wanted = !failed_;
    lock.unlock();
    std::string failure;
    if (wanted) {
      try {
        EpisodeFileWriter writer(part_path(number), header_, options_.compressed);
        writer.append(*block);
        writer.close();
      } catch (const std::exception& e) {
        failure = e.what();
      }
    }
    lock.lock();
    if (!failure.empty())
      fail(failure);
    else if (wanted)
      part_episodes_.push_back(block->episodes());
    block->clear();
    free_.push_back(std::move(block));
    writing_ = false;
    changed_.notify_all();
  }
}

void EpisodeRecorder::fail(const std::string& message) {
  failed_ = true;
  options_.on_failure(
      fmt::format("recording of episodes stops: {}; training goes on, and what was recorded stays in {}", message,
                  parts_.string()));
}

void EpisodeRecorder::cut_back(std::uint64_t episodes) {
  seal();
  const std::unique_lock lock(mutex_);
  std::uint64_t total = 0;
  std::size_t kept = 0;
  while (kept < part_episodes_.size() && total < episodes) total += part_episodes_[kept++];
  // The last first: what a kill leaves has no gap.
  for (std::size_t i = part_episodes_.size(); i > kept; --i) fs::remove(part_path(i - 1));
  part_episodes_.resize(kept);
  episodes_ = episodes;
}

void EpisodeRecorder::finish() {
  seal();
  if (!active()) return;
  try {
    if (episodes_ > 0) {
      EpisodeHeader header = header_;
      header.has_failed = EpisodeReader(parts_).header().has_failed;  // older revisions may have written some of them
      EpisodeFileWriter whole(episode_file(directory_), header, options_.compressed);
      EpisodeBlock block;
      for (std::size_t i = 0; i < part_episodes_.size(); ++i) {
        const EpisodeReader part(part_path(i));
        for (std::uint64_t e = 0; e < part.episodes(); ++e) {
          block.clear();
          part.read(e, block);
          whole.append(block);
        }
      }
      whole.close();
    }
    fs::remove_all(parts_);
  } catch (const std::exception& e) {
    const std::unique_lock lock(mutex_);
    fail(e.what());
  }
}

void EpisodeRecorder::visit_state(StateVisitor& v) {
  std::uint64_t works = active();
  v.visit("active", works);
  v.visit("episodes", episodes_);
  const std::unique_lock lock(mutex_);
  failed_ = works == 0;
  if (!failed_) restore_parts();
}

// After a save this finds what is there. After a load it may find less, which is an error, or more: parts of later
// episodes, or one file of all episodes, from a run that had ended.
void EpisodeRecorder::restore_parts() {
  std::uint64_t total = 0;
  for (const std::uint64_t n : part_episodes_) total += n;
  if (total == episodes_ && total > 0) return;
  if (fs::exists(episode_file(directory_))) {
    fs::remove_all(parts_);
    fs::create_directory(parts_);
    fs::rename(episode_file(directory_), part_path(0));
    sync_directory(parts_);
    sync_directory(directory_);
  }
  part_episodes_.clear();
  total = 0;
  const std::vector<fs::path> files = part_files(parts_);
  std::size_t kept = 0;
  for (; kept < files.size() && total < episodes_; ++kept) {
    part_episodes_.push_back(episodes_in(files[kept]));
    total += part_episodes_.back();
  }
  for (std::size_t i = files.size(); i > kept; --i) fs::remove(files[i - 1]);  // the last first, as in cut_back()
  if (total != episodes_)
    throw std::runtime_error(
        fmt::format("{} holds {} recorded episodes up to the part that should end with {}; "
                    "expected that many, as when the checkpoint was saved",
                    parts_.string(), total, episodes_));
}

}  // namespace goalpost
