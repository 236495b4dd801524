#include "train/state.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>

#include "core/check.h"

namespace goalpost {
namespace {

// Counters of a file that somebody made must leave room to count on.
void check_count(std::int64_t count) {
  constexpr std::int64_t kMost = 1'000'000'000'000'000'000;
  if (count < 0 || count > kMost)
    throw std::runtime_error(
        detail::concatenate("TrainState: a count of ", count, " was saved; expected 0 to ", kMost));
}

}  // namespace

void TrainProgress::visit_state(StateVisitor& v) {
  v.visit("step", step);
  v.visit("episodes", episodes);
  v.visit("updates", updates);
  v.visit("wall_seconds", wall_seconds);
  v.visit("success", success);
  v.visit("success_any", success_any);
  v.visit("reward", mean_return);  // the name in checkpoints
  v.visit("length", length);
  if (v.count("unstable_episodes", unstable_episodes != 0) > 0)
    v.visit("unstable_episodes", unstable_episodes);
  else
    unstable_episodes = 0;
  for (const std::int64_t count : {step, episodes, updates, unstable_episodes}) check_count(count);
}

EpisodeSums::EpisodeSums(int lanes) : reward(std::size_t(lanes)), length(reward.size()), success_any(reward.size()) {}

void EpisodeSums::add(std::size_t i, double reward_of_step, bool success) {
  reward[i] += reward_of_step;
  length[i] += 1;
  success_any[i] |= static_cast<std::uint64_t>(success);
}

void EpisodeSums::clear(std::size_t i) {
  reward[i] = 0;
  length[i] = 0;
  success_any[i] = 0;
}

void EpisodeSums::visit_state(StateVisitor& v) {
  v.visit("reward", std::span(reward));
  v.visit("length", std::span(length));
  v.visit("success_any", std::span(success_any));
}

void RecentEpisodes::add(double success, double success_any, double reward, double length, bool unstable) {
  const std::array<double, 4> entry = {success, success_any, reward, length};
  unstable_[count_ % kWindow] = unstable;
  std::copy(entry.begin(), entry.end(), entries_.begin() + 4 * (count_++ % kWindow));
}

int RecentEpisodes::unstable() const {
  return static_cast<int>(std::count_if(unstable_.begin(), unstable_.end(), [](std::uint64_t u) { return u != 0; }));
}

void RecentEpisodes::write(TrainProgress& p) const {
  const std::size_t n = std::min<std::size_t>(count_, kWindow);
  std::array<double, 4> sum = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += entries_[4 * i + k];
  const double count = static_cast<double>(std::max<std::size_t>(n, 1));  // n * (1 / n) may be less than 1
  p.success = sum[0] / count;
  p.success_any = sum[1] / count;
  p.mean_return = sum[2] / count;
  p.length = sum[3] / count;
}

void RecentEpisodes::visit_state(StateVisitor& v) {
  v.visit("entries", std::span(entries_));
  v.visit("count", count_);
  if (v.count("unstable", unstable() > 0 ? kWindow : 0) > 0)
    v.visit("unstable", std::span(unstable_));
  else
    unstable_.fill(0);
}

void TrainState::visit_state(StateVisitor& v) {
  visit_part(v, "progress", progress);
  v.visit("updates_due", updates_due);
  std::uint64_t due = evaluation_due;
  v.visit("evaluation_due", due);
  evaluation_due = due != 0;
  v.visit("cycles", cycles);
  v.visit("evaluations", evaluations);
  v.visit("successes_in_a_row", successes_in_a_row);
  v.visit("checkpoint_step", checkpoint_step);
  for (const std::int64_t count : {cycles, evaluations, successes_in_a_row, checkpoint_step}) check_count(count);
  if (!(updates_due >= 0) || !std::isfinite(updates_due))
    throw std::runtime_error(
        detail::concatenate("TrainState: ", updates_due, " updates were saved as due; expected a number >= 0"));
  visit_part(v, "warmup_rng", warmup_rng);
  visit_part(v, "sums", sums);
  visit_part(v, "recent", recent);
  visit_part(v, "metrics", metrics);
}

}  // namespace goalpost
