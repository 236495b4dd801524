// HIRO's policies, checkpoints and warm starts.
#include <span>
#include <stdexcept>
#include <utility>

#include "algos/hiro/hiro.h"
#include "core/check.h"

namespace goalpost {

void Hiro::visit_policy(StateVisitor& v) {
  {
    const StateVisitor::Scope scope(v, "low");
    low_.learner->visit_policy(v);
  }
  const StateVisitor::Scope scope(v, "high");
  high_.learner->visit_policy(v);
}

void Hiro::visit_state(StateVisitor& v) {
  visit_state_without_replay(v);
  visit_part(v, "transitions", transitions_);
  visit_part(v, "segments", segments_);
}

// An evaluation's lanes are not saved: every evaluation begins new episodes.
void Hiro::visit_state_without_replay(StateVisitor& v) {
  visit_part(v, "low", low_);
  visit_part(v, "high", high_);
  v.visit("points", training_.point);
  v.visit("steps_of_segments", std::span(training_.k));
  v.visit("pretraining", std::span(training_.pretraining));
  if (c_.exploration_goals.episodes > 0) {
    v.visit("explores", std::span(training_.explores));
    v.visit("explored_goals", training_.explored);
  }
  for (const std::uint64_t k : training_.k)
    if (k > static_cast<std::uint64_t>(c_.c))
      throw std::runtime_error(
          detail::concatenate("Hiro: a segment was saved after ", k, " steps; expected at most ", c_.c));
  {
    const StateVisitor::Scope scope(v, "open_segments");
    segments_.visit_open(v);
  }
  v.visit("unfinished", std::span(unfinished_));
  v.visit("last_before", low_step_.before.obs);
  v.visit("last_after", low_step_.after.obs);
  v.visit("last_action", low_step_.action);
  for (Index lane = 0; lane < training_.size(); ++lane)  // a step that waits for a decision has not ended its episode
    if (unfinished_[lane]) low_step_.terminated[lane] = low_step_.truncated[lane] = 0;
  v.visit("observed", observed_);
  v.visit("episodes_begun", episodes_begun_);
  visit_part(v, "collected", collected_);
  visit_part(v, "act_rng", act_rng_);
  visit_part(v, "sample_rng", sample_rng_);
  visit_part(v, "update_rng", update_rng_);
}

std::vector<WarmStart> Hiro::warm_starts() {
  std::vector<WarmStart> list;
  for (const auto& [name, level] : {std::pair{"low", &low_}, std::pair{"high", &high_}})
    if (!level->c.policy.empty())
      list.push_back({.setting = detail::concatenate("agent.hiro.", name, ".policy"),
                      .run = level->c.policy,
                      .part = name,
                      .visit = [l = level->learner.get()](StateVisitor& v) { l->begin_with_policy(v); }});
  return list;
}

}  // namespace goalpost
