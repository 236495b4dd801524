// One training run with its files, and what is done with a finished run directory.
//
//   config.toml   everything that the run consists of; `goalpost train config.toml` repeats it
//   train.csv     means between two evaluations: loss, training episodes (with exploration), rates
//   eval.csv      the evaluation curve; the same bits for the same configuration, but for wall_seconds
//   events.out.tfevents.*   the same for TensorBoard
//   policy.h5     the policy as it was last: at evaluations, checkpoints and on every way out; stands alone
//   episodes.h5   recorded episodes, if train.record asks for them; in parts below episodes/ while the run goes on
//   films/        step_<n>.mp4: an evaluation episode of the policy after so many transitions, if train.film_every asks
//                 for them
//   checkpoint.h5 everything that the rest of the run depends on; checkpoint_<step>.h5 are older ones
//   result.json   written at the end: why training ended, and the final evaluation
//   result_<n>.json   the result that the run had after n transitions, before it was resumed with more to do
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "run/policy_file.h"
#include "train/trainer.h"

namespace goalpost {

struct RunResult {
  std::string experiment;
  std::int64_t seed = 0;
  std::string revision, cpu, identity;  ///< identity is empty in results of earlier versions
  std::string end;                      ///< "budget" (all steps done) or "success" (stopped early)
  TrainProgress progress;
  Evaluation final;  ///< after training, on fresh episodes
};

/// The directory of a run when none is asked for: runs/<name>/seed_<seed>.
std::filesystem::path default_directory(const Experiment& experiment);

/// Trains, with everything written into a new directory. Returns nothing if interrupted; what was saved until then
/// stays. There is no directory if that was before the first step. @param quiet no progress on stderr
/// @throws UsageError if the directory is already used or cannot be created; nothing is left behind then
/// @throws NumericsError if training yields NaN; what was saved until then stays
std::optional<RunResult> train_in_directory(Experiment& experiment, const std::filesystem::path& directory, bool quiet);

/// Goes on with an unfinished run from its checkpoint, or from its beginning if it was killed before the first one, so
/// that everything it writes but wall-clock times is as if it had never stopped. A run without checkpoints is refused,
/// since beginning again would delete what it has reported. Returns as train_in_directory.
/// A finished run that `set` gives more to do stays finished, with its config.toml and result.json, until its first new
/// checkpoint is saved; then its result is kept as result_<n>.json.
/// Where eval.csv or train.csv lacks rows up to the checkpoint, it goes on from the newest checkpoint whose rows are
/// all there, with a sentence on stderr.
/// @param set "key=value" put over the run's configuration: where training ends, and what does not affect it
/// @param any_build accept a checkpoint of another revision, compiler, library or processor, whose bits may differ
/// @throws UsageError naming what differs if the directory is no run, has finished, or its checkpoint is damaged, of
/// another build, or of a configuration that differs in what matters; or if rows are missing for every checkpoint
std::optional<RunResult> resume_in_directory(const std::filesystem::path& directory,
                                             const std::vector<std::string>& set, bool any_build, bool quiet);

/// Whether an interrupted run can go on: it has a checkpoint, or would have had one, and begins again.
bool can_be_resumed(const std::filesystem::path& directory);

/// Why resume_in_directory could not go on with this run as a run of this experiment; empty if it could.
std::string resume_problem(const std::filesystem::path& directory, const Experiment& experiment);

/// Removes what only resuming needs.
void remove_checkpoints(const std::filesystem::path& directory);

/// The result of a finished run; nothing if the run has not finished.
/// @throws std::runtime_error if it cannot be read, UsageError if it is a pipe or a device
std::optional<RunResult> read_result(const std::filesystem::path& directory);

/// {"goal_3_3": {"episodes": 100, "success": 1.0}, ...}
nlohmann::ordered_json to_json(const std::vector<Evaluation::Kind>& kinds);
/// What an evaluation holds as "kinds"; none if it was written before there were any.
/// @throws nlohmann::json::exception for what to_json does not write
std::vector<Evaluation::Kind> kinds_of(const nlohmann::ordered_json& evaluation);

/// The environments of an evaluation of so many episodes: one for each chain of them, 100 at most.
VectorEnv make_evaluation_env(const EnvFactory& make, int episodes, Rng rng, int threads);

}  // namespace goalpost
