#include "cli/train_progress.h"

#include <fmt/format.h>

#include "core/text.h"

namespace goalpost {

TrainProgressBar::TrainProgressBar(const Experiment& e, const TrainProgress& begin)
    : begin_(begin),
      by_episodes_(e.train.total_episodes > 0),
      bar_(fmt::format("{} seed {}", e.name, e.seed), by_episodes_ ? e.train.total_episodes : e.train.total_steps,
           by_episodes_ ? "episode" : "step", {.first = by_episodes_ ? begin.episodes : begin.step}) {}

void TrainProgressBar::on_step(const TrainProgress& p) {
  if (++calls_ % 16 != 0) return;  // reading the clock and formatting cost more than a small step
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto rate = [&](std::int64_t now, std::int64_t before) {
    return format_count(static_cast<std::int64_t>(static_cast<double>(now - before) / seconds));
  };
  bar_.update(by_episodes_ ? p.episodes : p.step,
              fmt::format("steps={} steps/s={} updates/s={} success={:.2f} train_success={:.2f}",
                          format_count(static_cast<double>(p.step)), rate(p.step, begin_.step),
                          rate(p.updates, begin_.updates), success_, p.success));
}

void TrainProgressBar::on_evaluation(const TrainProgress&, const Evaluation& e, const Metrics&) {
  success_ = e.success;
}

}  // namespace goalpost
