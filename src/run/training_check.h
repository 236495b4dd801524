// What is asked of an experiment before it is trained: whether it can learn, and how much memory it takes.
#pragma once

#include "algos/agent.h"
#include "core/memory.h"
#include "run/experiment.h"

namespace goalpost {

/// What keeps an experiment from learning what it is for, beyond what make_experiment refuses: a run that exists may be
/// evaluated all the same. @throws UsageError as Experiment::eval_env_factory
TrainingCheck check_training(const Experiment& e);
/// What training takes: replay buffer, batches, environments, recorder; a resumed run reads its checkpoint besides.
MemoryNeed training_memory(const Experiment& e, bool resumed);
/// Compares that with what the process may use. @throws UsageError with both numbers if it does not fit
void check_memory(const Experiment& e, bool resumed, const MemoryLimit& limit = memory_left());

}  // namespace goalpost
