#include "run/run_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "run/policy_file.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {

RunFiles::RunFiles(Experiment& e, Run& run, RunLog& log, std::optional<RunResult> earlier)
    : e_(e),
      run_(run),
      log_(log),
      earlier_(std::move(earlier)),
      config_(e.to_toml()),
      curves_(log, run.progress()),
      checkpoints_(log.directory(), e.train.checkpoints_kept) {
  checkpoints_.continue_from(run.progress().step);
}

void RunFiles::save_last_policy() {
  save_policy(log_.directory() / kPolicyFile, e_, run_.env.spec(), run_.progress(), run_.agent);
}

void RunFiles::save_checkpoint(bool replay, const std::string& config) {
  checkpoints_.save(
      run_.progress().step, kCheckpointKind, [&](StateVisitor& v) { run_.visit_state(v, replay); }, config);
}

void RunFiles::on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) {
  save_last_policy();
  curves_.write(p, e, metrics);
  if (e_.train.histograms) write_histograms(run_.agent, p.step, log_);
}

void RunFiles::on_checkpoint(const TrainProgress&) {
  const std::filesystem::path& directory = log_.directory();
  log_.sync();
  save_last_policy();
  // A run resumed from a checkpoint must leave one, or it could not be resumed after its later reports.
  if (e_.train.checkpoint_every > 0 || std::filesystem::exists(CheckpointSeries::newest(directory)))
    save_checkpoint(e_.train.checkpoint_replay, config_);
  if (!earlier_) return;
  // The run's new state is saved: from here on it is unfinished. If the process ends before the second of these, the
  // run can still be resumed, because its configuration leaves steps to do.
  write_file_atomically(directory / kConfigFile, config_);
  std::filesystem::rename(directory / kResultFile,
                          directory / fmt::format("{}{}.json", kEarlierResult, earlier_->progress.step));
  earlier_.reset();
}

void RunFiles::on_unstable(const std::string& sentence) {
  print_error(fmt::format(
      "goalpost: {}; the episode is truncated and counted in rollout/unstable_episodes; the run continues", sentence));
}

void RunFiles::save_for_final_evaluation() {
  if (std::filesystem::exists(CheckpointSeries::newest(log_.directory()))) return;
  e_.train.checkpoint_replay = false;
  save_checkpoint(false, e_.to_toml());
}

void RunFiles::finish(const RunResult& result) {
  log_.events().add_hparams_end(true);
  log_.sync();
  write_file_atomically(log_.directory() / kResultFile, to_json(result).dump(2) + "\n");
  CheckpointSeries::remove_older(log_.directory());
}

}  // namespace goalpost
