// The names of the files in a run directory.
//
//   config.toml   everything that the run consists of; `goalpost train config.toml` repeats it
//   train.csv     means between two evaluations: loss, training episodes (with exploration), rates;
//                 seconds_<phase>: wall-clock seconds since the row before for environment, act, sample (the replay
//                 buffer), update and evaluate
//   eval.csv      the evaluation curve; the same bits for the same configuration, but for wall_seconds
//   events.out.tfevents.*   the same for TensorBoard
//   policy.h5     the policy as it was last: at evaluations, checkpoints and on every way out; stands alone
//   episodes.h5   recorded episodes, if train.record asks for them; in parts below episodes/ while the run goes on
//   films/        step_<n>.mp4: an evaluation episode of the policy after so many transitions, if train.film_every asks
//                 for them
//   checkpoint.h5 everything that the rest of the run depends on; checkpoint_<step>.h5 are older ones
//   result.json   written at the end: why training ended, and the final evaluation
//   result_<n>.json   the result that the run had after n transitions, before it was resumed with more to do
//
// A figure keeps the runs of a setting in one directory, and the setting's configuration beside them as setting.toml.
#pragma once

namespace goalpost {

inline constexpr char kConfigFile[] = "config.toml";
inline constexpr char kTrainCurve[] = "train.csv";
inline constexpr char kEvalCurve[] = "eval.csv";
inline constexpr char kPolicyFile[] = "policy.h5";
inline constexpr char kEpisodeFile[] = "episodes.h5";
inline constexpr char kEpisodeParts[] = "episodes";  ///< a directory
inline constexpr char kFilms[] = "films";            ///< a directory
inline constexpr char kCheckpointFile[] = "checkpoint.h5";
inline constexpr char kOlderCheckpoint[] = "checkpoint_";  ///< and step and ".h5"
inline constexpr char kResultFile[] = "result.json";
inline constexpr char kEarlierResult[] = "result_";  ///< and transitions and ".json"
inline constexpr char kSettingFile[] = "setting.toml";

}  // namespace goalpost
