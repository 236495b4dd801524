// A level of HIRO: its learner, exploration noise and updates.
#include "algos/hiro/level.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "algos/learners.h"

namespace goalpost {
namespace {

// Adds a metric under another prefix and HIRO's names: train/ent_coef of the low level becomes lo/alpha.
void add_as(std::string_view prefix, const Metrics::Slot& m, Metrics& out) {
  std::string_view name = m.name().substr(m.name().find('/') + 1);
  if (name == "ent_coef") name = "alpha";
  if (name == "ent_coef_loss") name = "alpha_loss";
  std::array<char, 64> text;
  const std::size_t length = std::min(name.size(), text.size() - prefix.size());
  std::copy_n(name.begin(), length, std::copy(prefix.begin(), prefix.end(), text.begin()));
  out.add({text.data(), prefix.size() + length}, m.mean());
}

}  // namespace

HiroLevel::HiroLevel(const LevelConfig& config, EnvSpec level_spec, Rng rng)
    : c(config),
      spec(std::move(level_spec)),
      half_range((spec.action.high - spec.action.low) / 2),
      learner(find_learner(c.learner).make(spec, c.learners.of(c.learner), rng)),
      batch(spec, c.batch_size, learner->gamma()) {}

bool HiroLevel::learns(bool pretraining) const {
  return c.learns == Learns::always || (c.learns == Learns::pretraining && pretraining);
}

void HiroLevel::act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) {
  learner->act(s, mode, rng, a);
  if (mode == Mode::exploit || c.exploration_noise == 0) return;
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i)
      a(i, j) = std::clamp(a(i, j) + c.exploration_noise / half_range(i) * rng.normal(), Scalar(-1), Scalar(1));
}

void HiroLevel::learn(std::string_view prefix, Rng& rng, Metrics& out) {
  metrics.clear();
  learner->update(batch, rng, metrics);
  updated = true;
  for (const Metrics::Slot& m : metrics) add_as(prefix, m, out);
}

void HiroLevel::visit_state(StateVisitor& v) {
  visit_part(v, "learner", *learner);
  v.visit("due", due);
}

}  // namespace goalpost
