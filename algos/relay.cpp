#include "algos/relay.h"

#include "core/check.h"

namespace goalpost {

EnvSpec with_position_to_reach(const EnvSpec& spec) {
  EnvSpec extended = spec;
  extended.obs_dim += spec.goal.dim;
  return extended;
}

void write_relay_state(Subtask subtask, ConstVectorRef obs, ConstVectorRef goal, VectorRef state) {
  state.head(obs.size()) = obs;
  state.tail(2 * goal.size()).setZero();
  state.segment(obs.size() + (subtask == Subtask::object ? goal.size() : 0), goal.size()) = goal;
}

RelaySampler::RelaySampler(const ReplayBuffer& buffer, const EnvSpec& spec, const HerConfig& config, int batch_size)
    : object_(buffer, spec.goal, config),
      reach_(buffer, spec.goal, config, spec.manipulation),
      object_batch_(spec, (batch_size + 1) / 2, 0),
      reach_batch_(spec, batch_size / 2, 0) {
  GP_CHECK(spec.manipulation.known(), "RelaySampler: ", spec.name, " does not say where its object is; expected to");
}

void RelaySampler::sample(Rng& rng, Batch& out) const {
  GP_CHECK(out.size() == object_batch_.size() + reach_batch_.size(), "RelaySampler: a batch of ", out.size(),
           "; expected ", object_batch_.size() + reach_batch_.size());
  Index column = 0;
  const auto add = [&](const HerSampler& sampler, Batch& batch, Subtask subtask) {
    batch.gamma = out.gamma;
    sampler.sample(rng, batch);
    const Index n = batch.size(), goal = (out.s.rows() - batch.s.rows()), obs = batch.s.rows() - goal;
    for (Index j = 0; j < n; ++j) {
      write_relay_state(subtask, batch.s.col(j).head(obs), batch.s.col(j).tail(goal), out.s.col(column + j));
      write_relay_state(subtask, batch.s2.col(j).head(obs), batch.s2.col(j).tail(goal), out.s2.col(column + j));
    }
    out.a.middleCols(column, n) = batch.a;
    out.r.middleCols(column, n) = batch.r;
    out.discount.middleCols(column, n) = batch.discount;
    column += n;
  };
  add(object_, object_batch_, Subtask::object);
  add(reach_, reach_batch_, Subtask::reach);
}

}  // namespace goalpost
