// The names of the files in a run directory.
//
//   config.toml   everything that the run consists of; `goalpost train config.toml` repeats it
//   train.csv     means between two evaluations: loss, training episodes (with exploration), rates;
//                 seconds_<phase>: wall-clock seconds since the row before for environment, act, sample (the replay
//                 buffer), update and evaluate
//   eval.csv      the evaluation curve; the same bits for the same configuration, but for wall_seconds
//   events.out.tfevents.*   the same for TensorBoard
//   policy.h5     the latest policy, saved at evaluations, checkpoints and every exit; needs no other file
//   episodes.h5   recorded episodes, with train.record; during the run in part files in episodes/
//   videos/        step_<n>.mp4: an evaluation episode of the policy after n transitions, with train.video_every
//   checkpoint.h5 everything that the rest of the run depends on; checkpoint_<step>.h5 are older ones
//   result.json   written at the end: why training ended, and the final evaluation
//   result_<n>.json   the result after n transitions of a finished run that was continued
//
// A figure, or any plan (run/plan.h), has one directory for the runs of a setting, with the setting's configuration as
// setting.toml.
#pragma once

namespace goalpost {

inline constexpr char kConfigFile[] = "config.toml";
inline constexpr char kTrainCurve[] = "train.csv";
inline constexpr char kEvalCurve[] = "eval.csv";
inline constexpr char kPolicyFile[] = "policy.h5";
inline constexpr char kEpisodeFile[] = "episodes.h5";
inline constexpr char kEpisodeParts[] = "episodes";  ///< a directory
inline constexpr char kVideos[] = "videos";          ///< a directory
inline constexpr char kCheckpointFile[] = "checkpoint.h5";
inline constexpr char kOlderCheckpoint[] = "checkpoint_";  ///< and step and ".h5"
inline constexpr char kResultFile[] = "result.json";
inline constexpr char kEarlierResult[] = "result_";  ///< and transitions and ".json"
inline constexpr char kSettingFile[] = "setting.toml";
inline constexpr char kPlanFile[] = "plan.json";

}  // namespace goalpost
