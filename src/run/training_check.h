// Checks of an experiment before training: whether it can learn, and whether its memory suffices.
#pragma once

#include "algos/agent.h"
#include "core/memory.h"
#include "run/experiment.h"

namespace goalpost {

/// Settings that prevent an experiment from learning its task, in addition to the errors of make_experiment. They do
/// not prevent evaluating an existing run. @throws UsageError as Experiment::eval_env_factory
TrainingCheck check_training(const Experiment& e);
/// Memory of training: replay buffer, batches, environments, recorder; for a resumed run also reading its checkpoint.
MemoryNeed training_memory(const Experiment& e, bool resumed);
/// Compares training_memory with the memory available to the process. @throws UsageError with both numbers if it
/// exceeds it
void check_memory(const Experiment& e, bool resumed, const MemoryLimit& limit = memory_left());

}  // namespace goalpost
