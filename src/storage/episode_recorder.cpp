// Stages, and the thread that writes full blocks as parts of a run.
#include "storage/episode_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "storage/episode_reader.h"
#include "storage/episode_writer.h"
#include "storage/file.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

static_assert(std::is_same_v<Scalar, float>, "the files hold float32");

void append_column(std::vector<float>& to, const Matrix& from, std::uint64_t columns) {
  to.insert(to.end(), from.data(), from.data() + from.rows() * static_cast<Index>(columns));
}

std::uint64_t episodes_in(const fs::path& part) { return EpisodeReader(part).episodes(); }

}  // namespace

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
  // The last one first, so that a kill leaves no gap.
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
