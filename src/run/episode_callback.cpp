#include "run/episode_callback.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/text.h"

namespace goalpost {
namespace {

EnvSpec longer(EnvSpec spec, const EnvSpec& other) {
  spec.max_steps = std::max(spec.max_steps, other.max_steps);
  return spec;
}

}  // namespace

EpisodeCallback::EpisodeCallback(const std::filesystem::path& directory, Experiment& e, const VectorEnv& env,
                                 const VectorEnv& eval_env)
    : mode_(e.train.record),
      training_(env.spec(), env.lanes(), EpisodePurpose::training),
      evaluation_(eval_env.spec(), eval_env.lanes(), EpisodePurpose::evaluation),
      recorder_(directory, longer(env.spec(), eval_env.spec()),
                EpisodeHeader::of(longer(env.spec(), eval_env.spec()), static_cast<std::uint64_t>(e.seed), e.to_toml()),
                {.compressed = e.train.record_compressed, .on_failure = [](const std::string& sentence) {
                   print_error(fmt::format("goalpost: {}", sentence));
                 }}) {}

void EpisodeCallback::on_training_step(const StepBatch& step, const TrainProgress& p) {
  if (mode_ == RecordMode::eval) return;
  for (std::size_t i = 0; i < step.success.size(); ++i)
    recorder_.append(training_, step, i, static_cast<std::uint64_t>(p.step));
}

void EpisodeCallback::on_evaluation_begin(int) {
  if (mode_ == RecordMode::train) return;
  recorder_.seal();
  before_evaluation_ = recorder_.episodes();
}

void EpisodeCallback::on_evaluation_step(const StepBatch& step, std::size_t lane, const TrainProgress& p) {
  if (mode_ != RecordMode::train) recorder_.append(evaluation_, step, lane, static_cast<std::uint64_t>(p.step));
}

void EpisodeCallback::on_evaluation_stopped() {
  if (mode_ == RecordMode::train) return;
  evaluation_.clear();
  recorder_.cut_back(before_evaluation_);
}

void EpisodeCallback::on_checkpoint(const TrainProgress&) { recorder_.seal(); }

void EpisodeCallback::visit_state(StateVisitor& v) {
  visit_part(v, "training", training_);
  visit_part(v, "recorder", recorder_);
}

}  // namespace goalpost
