// A level of HIRO: an off-policy learner with its exploration, its batch and the updates that are due.
#pragma once

#include <memory>
#include <string_view>

#include "algos/agent.h"
#include "algos/batch.h"
#include "algos/hiro/config.h"
#include "core/matrix.h"
#include "core/metrics.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/spec.h"

namespace goalpost {

struct HiroLevel {
  LevelConfig c;
  EnvSpec spec;
  Vector half_range;  // [act] half the range of its actions, in their unit
  std::unique_ptr<Learner> learner;
  Batch batch;
  Metrics metrics;
  double due = 0;        // updates that are due
  bool updated = false;  // whether batch holds the batch of an update

  HiroLevel(const LevelConfig& config, EnvSpec level_spec, Rng rng);
  bool learns(bool pretraining) const;
  void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a);  // in [-1, 1]
  /// One update from the batch. Adds the learner's metrics to out, under names with this prefix.
  void learn(std::string_view prefix, Rng& rng, Metrics& out);
  void visit_state(StateVisitor& v);
};

}  // namespace goalpost
