#include "cli/train_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/text.h"

namespace goalpost {
namespace {

constexpr int kCallsPerLook = 16;  // reading the clock and formatting cost more than a small step

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::string evaluation_text(const Experiment& e, double success, double mean_return) {
  return e.measures_return() ? fmt::format("return={:.1f}", mean_return) : fmt::format("success={:.2f}", success);
}

std::string final_text(const Experiment& e, const Evaluation& final) {
  return e.measures_return() ? fmt::format("return {:.2f}", final.mean_return)
                             : fmt::format("success {:.3f}", final.success);
}

void TrainProgressPipe::on_step(const TrainProgress& p) {
  if (++calls_ % kCallsPerLook != 0 || seconds_since(told_) < 0.2) return;
  told_ = std::chrono::steady_clock::now();
  const std::int64_t done = by_episodes_ ? p.episodes : p.step;
  static_cast<void>(!::write(descriptor_, &done, sizeof done));
}

// The name has a line of its own: with it, a bar of 80 columns would have no room for the rates.
TrainProgressBar::TrainProgressBar(const Experiment& e, const TrainProgress& begin)
    : e_(e),
      begin_(begin),
      by_episodes_(e.ends_by_episodes()),
      bar_("", by_episodes_ ? e.train.total_episodes : e.train.total_steps, by_episodes_ ? "episode" : "step",
           {.first = by_episodes_ ? begin.episodes : begin.step}) {
  bar_.line(fmt::format("training {}, seed {}", e.name, e.seed));
}

void TrainProgressBar::on_step(const TrainProgress& p) {
  if (++calls_ % kCallsPerLook == 0) show(p);
}

void TrainProgressBar::on_checkpoint(const TrainProgress& p) { show(p); }  // also where training ends

void TrainProgressBar::show(const TrainProgress& p) {
  const double seconds = seconds_since(start_);
  const auto rate = [&](std::int64_t now, std::int64_t before) {
    return format_count(static_cast<double>(now - before) / seconds);
  };
  const std::string updates = fmt::format("{}update/s", rate(p.updates, begin_.updates));
  const std::string steps = fmt::format("{}step/s, {}step", rate(p.step, begin_.step), format_count(double(p.step)));
  const std::string training = fmt::format("training {}", evaluation_text(e_, p.success, p.mean_return));
  bar_.update(by_episodes_ ? p.episodes : p.step, by_episodes_ ? fmt::format("{}, {}, {}", updates, steps, training)
                                                               : fmt::format("{}, {}", updates, training));
}

void TrainProgressBar::on_evaluation_begin(int most) {
  evaluated_ = 0;
  to_evaluate_ = most;
  evaluation_start_ = std::chrono::steady_clock::now();
}

void TrainProgressBar::on_evaluation_step(const StepBatch& step, std::size_t lane, const TrainProgress&) {
  evaluated_ += step.ended(lane);
  if (++calls_ % kCallsPerLook != 0) return;
  const double seconds = seconds_since(evaluation_start_);
  bar_.update_part({.name = "evaluating",
                    .unit = "episode",
                    .done = evaluated_,
                    .total = to_evaluate_,
                    .elapsed_s = seconds,
                    .rate = static_cast<double>(evaluated_) / seconds});
}

void TrainProgressBar::on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics&) {
  if (p.step > 0) bar_.set_result(evaluation_text(e_, e.success, e.mean_return));
}

}  // namespace goalpost
