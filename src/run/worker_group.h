// The workers of a run that this process hosts: usually one, which is the run. Trains them to the end, and saves and
// loads the state of all of them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/worker.h"
#include "run/experiment.h"
#include "run/run_files.h"
#include "run/run_options.h"
#include "run/run_parts.h"
#include "run/run_result.h"
#include "storage/run_log.h"
#include "train/callback.h"

namespace goalpost {

/// Compares the processes of the job, before they begin a run. @throws UsageError if their builds, or the settings that
/// they have read, differ, or if the job has more processes than the run has workers
void expect_equal_processes(const Experiment& e);

class WorkerGroup {
 public:
  WorkerGroup(Experiment& e, const RunOptions& options);
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;

  /// Of the first worker of this process; in rank 0 of the run.
  RunParts& first() { return *parts_.front(); }
  HostedWorkers hosted() const { return parts_; }
  /// Reads a checkpoint, which holds all workers, into those of this process. @param successes whether the consecutive
  /// successes so far count @throws std::runtime_error as load_state
  void load(const std::filesystem::path& file, bool memory, bool successes);
  /// Trains from the run's current step to its end, then does the final evaluation. Returns nothing if interrupted.
  /// @param log of rank 0 @param earlier the result of the finished run that is continued
  std::optional<RunResult> train_to_the_end(RunLog* log, std::optional<RunResult> earlier = std::nullopt);

 private:
  void visit_hosted(StateVisitor& v, bool memory);  // but the run's first worker
  std::optional<RunResult> train_and_evaluate(RunParts& parts, TrainCallback* progress);
  std::optional<RunResult> lead(RunParts& parts, RunLog& log, std::optional<RunResult> earlier);
  std::optional<RunResult> follow(RunParts& parts);

  Experiment& experiment_;
  WorkerTeam team_;
  std::vector<std::unique_ptr<RunParts>> parts_;
  bool loads_ = false;
};

}  // namespace goalpost
