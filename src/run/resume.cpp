#include "run/resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "core/communicator.h"
#include "core/text.h"
#include "run/aliases.h"
#include "run/run_files.h"
#include "run/run_parts.h"
#include "run/worker_group.h"
#include "storage/checkpoint.h"
#include "storage/config_text.h"
#include "storage/episode_format.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/run_log.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

// The end of training, and settings without effect on its state, may be changed.
bool fixed_on_resume(const FieldText& f) { return !f.changeable; }

// Empty, or the sentence why the checkpoint's run is not this experiment's.
std::string checkpoint_problem(const std::filesystem::path& file, const Experiment& e, bool any_build) {
  const std::string name = file.string();
  const TomlValues values = TomlValues::from_text(read_state_config(file, kCheckpointKind), name);
  if (!any_build) {
    const BuildInfo then = BuildInfo::recorded(values), now = BuildInfo::current();  // without inputs
    const auto found = build_differences(then, now);
    for (const auto& [what, a, b] : found)
      if (what != "resumed")
        return fmt::format(
            "{}: build {} = {}; expected {}, this program's; --any-build resumes anyway, with results that no single "
            "build repeats",
            name, what, a, b);
    if (const std::string unknown = unknown_of(then); !unknown.empty())
      print_error(
          fmt::format("goalpost: {} is of an earlier version and lacks its build's {}; not compared", name, unknown));
  }
  Experiment saved = make_experiment(values);
  const std::vector<std::string> found = differences(saved, name, e, "the resumed run", fixed_on_resume);
  return fmt::format("{}", fmt::join(found, "\n"));
}

// The settings that a checkpoint was saved with. @throws std::runtime_error if it cannot be read
TrainConfig settings_of(const std::filesystem::path& checkpoint) {
  const std::string config = read_state_config(checkpoint, kCheckpointKind);
  return make_experiment(TomlValues::from_text(config, checkpoint.string())).train;
}

// A checkpoint without the replay buffer is completed by the dataset, if the run has one. Returns false if interrupted.
// @throws UsageError
bool load_checkpoint(WorkerGroup& workers, const std::filesystem::path& directory, bool any_build) {
  Experiment& experiment = workers.first().experiment;
  const std::filesystem::path file = CheckpointSeries::newest(directory);
  try {
    if (const std::string problem = checkpoint_problem(file, experiment, any_build); !problem.empty())
      throw UsageError(problem);
    const TrainConfig saved = settings_of(file);  // without the changes of --set
    if (!saved.checkpoint_replay) {
      const std::optional<std::string> dataset = fill_memories(workers.hosted());
      if (!dataset) return false;
      std::string& inputs = experiment.build.inputs;
      if (!inputs.empty() && inputs.find(*dataset) == inputs.npos) {
        if (!any_build)
          throw UsageError(
              fmt::format("{}: build inputs = {}; expected {}, the dataset as it is now; --any-build resumes "
                          "anyway, with results that no single dataset repeats",
                          file.string(), inputs, *dataset));
        inputs += ", then " + *dataset;
      }
    }
    // The consecutive successes counted so far are those of the saved stop_success.
    const double now = experiment.train.stop_success;
    workers.load(file, saved.checkpoint_replay, now > 0 && now <= saved.stop_success);
    return true;
  } catch (const UsageError&) {
    throw;
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    std::string advice;
    if (const auto older = CheckpointSeries::older(directory); !older.empty())
      advice = fmt::format("; copy {} over it to resume from there", older.back().string());
    throw UsageError(std::string(e.what()) + advice);
  }
}

// The change with which a finished run can be continued, e.g. "--set train.total_steps=N"; empty if its settings leave
// something to do.
std::string needed_to_go_on(const TrainProgress& p, std::int64_t successes_in_a_row, const TrainConfig& c) {
  if (c.stop_success > 0 && successes_in_a_row >= c.stop_evals) return "--set train.stop_success=0";
  if (c.total_episodes > 0 && p.episodes >= c.total_episodes)
    return fmt::format("--set train.total_episodes=N, more than {}, or 0", p.episodes);
  if (p.step >= c.total_steps) return fmt::format("--set train.total_steps=N, more than {}", p.step);
  return "";
}

std::string no_checkpoint(const std::filesystem::path& directory) {
  return fmt::format(
      "{0} was trained without checkpoints (train.checkpoint_every = 0) and cannot be resumed; its files stay. "
      "`goalpost "
      "train {0}/{1} --out DIR --set train.checkpoint_every=N` trains it again in another directory",
      directory.string(), kConfigFile);
}

// A checkpoint is saved after the rows of its evaluations. If a power failure has lost some of them nevertheless, the
// run resumes from the newest checkpoint with all of its rows and writes the others again, so that a curve has no gap.
// @throws UsageError if there is none
void go_back_to_whole_curve(const std::filesystem::path& directory) {
  const auto missing = [&](const std::filesystem::path& checkpoint) -> std::string {
    const auto n = read_state_counters(checkpoint, kCheckpointKind,
                                       {"train/progress/step", "train/evaluation_due", "train/evaluations"});
    for (const char* stream : {"eval", "train"}) {
      const std::uint64_t rows = RunLog::rows(directory, stream, static_cast<std::int64_t>(n[0] - (n[1] != 0 ? 1 : 0)));
      if (rows < n[2])
        return fmt::format("{} holds {} of the {} rows up to step {} of {}",
                           (directory / fmt::format("{}.csv", stream)).string(), rows, n[2], n[0],
                           checkpoint.filename().string());
    }
    return "";
  };
  const std::filesystem::path newest = CheckpointSeries::newest(directory);
  std::string lost;
  try {
    lost = missing(newest);
  } catch (const std::runtime_error&) {  // damaged: load_checkpoint reports it
    return;
  }
  if (lost.empty()) return;
  const std::vector<std::filesystem::path> older = CheckpointSeries::older(directory);
  for (auto file = older.rbegin(); file != older.rend(); ++file) {
    std::string problem;
    try {
      problem = missing(*file);
    } catch (const std::runtime_error& e) {
      problem = e.what();
    }
    if (!problem.empty()) continue;
    print_error(fmt::format("goalpost: {}; resuming from {}, which has all of its rows", lost, file->string()));
    CheckpointSeries::go_back_to(directory, *file);
    return;
  }
  throw UsageError(fmt::format(
      "{}: the other rows are lost, and no older checkpoint has all of its rows; restore the file, or train "
      "anew with another --out",
      lost));
}

// The addition to BuildInfo::resumed when resuming from the checkpoint.
std::string traces_of_resuming(const std::filesystem::path& directory) {
  const std::filesystem::path file = CheckpointSeries::newest(directory);
  const TomlValues values = TomlValues::from_text(read_state_config(file, kCheckpointKind), file.string());
  BuildInfo then = BuildInfo::recorded(values);
  std::string traces = then.resumed == BuildInfo::kUnknown ? "" : then.resumed;
  const auto add = [&](const std::string& trace) {
    if (traces.find(trace) == traces.npos) traces += (traces.empty() ? "" : ", ") + trace;
  };
  then.resumed.clear();
  for (const auto& [what, a, b] : build_differences(then, BuildInfo::current()))
    add(fmt::format("from {} {} with {}", what, a, b));
  if (!make_experiment(values).train.checkpoint_replay) add("without its replay buffer");
  return traces;
}

Experiment load_config(const std::filesystem::path& directory, const std::vector<std::string>& set) {
  const std::filesystem::path config = directory / kConfigFile;
  expect_no_stream(config);
  if (!std::filesystem::is_regular_file(config))
    throw UsageError(fmt::format("{} is not a run directory: {}", directory.string(),
                                 std::filesystem::exists(directory) ? fmt::format("it holds no {}", kConfigFile)
                                                                    : "there is no such directory"));
  TomlValues values = TomlValues::from_file(config);
  resolve_former_names(values, values);  // without a note, as of files that runs write
  set_all(values, set);
  const BuildInfo then = BuildInfo::recorded(values);
  Experiment e;
  try {
    e = make_experiment(values);
  } catch (const UsageError& problem) {
    const std::string now = BuildInfo::current().revision;
    if (then.revision == now || then.revision == BuildInfo::kUnknown) throw;
    throw UsageError(fmt::format("{} is of revision {}, and this program is {}: {}", config.string(), then.revision,
                                 now, problem.what()));
  }
  e.build.inputs = then.inputs;  // those at the start of the run, even if the files have changed
  return e;
}

}  // namespace

std::optional<SavedProgress> saved_progress(const std::filesystem::path& directory) {
  const std::filesystem::path checkpoint = CheckpointSeries::newest(directory);
  if (!std::filesystem::exists(checkpoint)) return std::nullopt;
  try {
    const auto n = read_state_counters(checkpoint, kCheckpointKind, {"train/progress/step", "train/progress/episodes"});
    return SavedProgress{.steps = static_cast<std::int64_t>(n[0]), .episodes = static_cast<std::int64_t>(n[1])};
  } catch (const std::runtime_error&) {  // damaged: load_checkpoint reports it
    return std::nullopt;
  }
}

namespace {

// An end that the run has passed would finish it on the spot. @throws UsageError
void expect_later_end(const std::filesystem::path& directory, const TrainConfig& c) {
  const std::optional<SavedProgress> saved = saved_progress(directory);
  if (!saved) return;
  const auto expect = [&](const char* setting, std::int64_t end, std::int64_t there, const char* unit) {
    if (end < there)
      throw UsageError(fmt::format("{} = {}, but {} has done {} {}; expected at least as many", setting, end,
                                   directory.string(), there, unit));
  };
  expect("train.total_steps", c.total_steps, saved->steps, "steps");
  if (c.total_episodes > 0) expect("train.total_episodes", c.total_episodes, saved->episodes, "episodes");
}

// What a run directory says of a run that is to go on.
struct RunFound {
  std::optional<RunResult> result;
  bool saved = false;  // it has a checkpoint
};

// @throws UsageError if the run cannot go on with these settings
RunFound expect_resumable(const std::filesystem::path& directory, const Experiment& e,
                          const std::vector<std::string>& set) {
  const std::optional<RunResult> result = read_result(directory);
  const bool saved = std::filesystem::exists(CheckpointSeries::newest(directory));
  Experiment before = load_config(directory, {});
  if (result && !saved)
    throw UsageError(fmt::format("{} has finished and has no checkpoint to continue from", directory.string()));
  // Without a checkpoint the run starts again, which gives the same bits only with the same configuration.
  if (const auto found = differences(before, kConfigFile, e, "--set", fixed_on_resume); !found.empty())
    throw UsageError(fmt::format("{}", fmt::join(found, "\n")));
  check_before_training(e, true);
  const bool other_evaluation = e.train.final_eval_episodes != before.train.final_eval_episodes;
  if (result) {  // checked before any file changes
    const bool counts = e.train.stop_success > 0 && e.train.stop_success <= before.train.stop_success;
    const std::string more =
        needed_to_go_on(result->progress, result->end == "success" && counts ? before.train.stop_evals : 0, e.train);
    if (set.empty() && !more.empty())
      throw UsageError(fmt::format("{} has finished; to continue training: {}", directory.string(), more));
    if (!more.empty() && !other_evaluation)
      throw UsageError(fmt::format("{} has finished, and with these settings nothing is left to train; expected {}",
                                   directory.string(), more));
  }
  if (!saved && before.train.checkpoint_every == 0) throw UsageError(no_checkpoint(directory));
  if (!result && saved && !set.empty()) expect_later_end(directory, e.train);
  return {.result = result, .saved = saved};
}

// The processes of a job may see different files, on different machines. @throws UsageError
void expect_one_checkpoint(const std::filesystem::path& directory) {
  if (job().ranks() == 1) return;
  std::string own;
  try {
    own = fmt::format("{:x}", read_state_hash(CheckpointSeries::newest(directory), kCheckpointKind));
  } catch (const std::exception&) {  // load_checkpoint reports it
  }
  const std::vector<std::string> all = gather_texts(own);
  together([&] {
    if (std::any_of(all.begin(), all.end(), [&](const std::string& s) { return s != all[0]; }))
      throw UsageError(
          fmt::format("the processes of mpirun see different checkpoints in {}; expected one directory "
                      "that all of them share",
                      directory.string()));
  });
}

}  // namespace

std::optional<RunResult> resume_in_directory(const std::filesystem::path& directory,
                                             const std::vector<std::string>& set, bool any_build,
                                             const RunOptions& options) {
  const bool writes = job().rank() == 0;
  std::optional<Experiment> e;
  std::optional<DirectoryLock> lock;
  RunFound found;
  together([&] {
    e = load_config(directory, set);
    if (writes) lock.emplace(directory);
    found = expect_resumable(directory, *e, set);
  });
  together([&] {
    if (writes && found.saved) go_back_to_whole_curve(directory);
  });
  expect_equal_processes(*e);
  std::optional<WorkerGroup> workers;
  bool begun = true;
  together([&] {
    workers.emplace(*e, options);
    if (!found.saved && writes) {
      print_error(fmt::format("goalpost: {} ended before its first checkpoint; it starts again, with the same bits",
                              directory.string()));
      std::filesystem::remove_all(episode_parts(directory));
      std::filesystem::remove(episode_file(directory));
    }
    if (!found.saved) begun = begin_agents(workers->hosted());
  });
  if (!everywhere(begun)) return std::nullopt;
  if (found.saved) expect_one_checkpoint(directory);
  std::optional<RunLog> log;
  together([&] {
    if (writes) workers->first().record_in(directory);
    if (found.saved) begun = load_checkpoint(*workers, directory, any_build);
    if (found.saved) e->build.resumed = traces_of_resuming(directory);
  });
  if (!everywhere(begun)) return std::nullopt;
  together([&] {
    if (!writes) return;
    // A checkpoint is saved after the rows of its step, unless it was saved before its evaluation.
    const TrainState& state = workers->first().run.state;
    log.emplace(RunLog::resume(directory, state.progress.step - (state.evaluation_due ? 1 : 0)));
    if (!found.result) write_file_atomically(directory / kConfigFile, e->to_toml());
  });
  return workers->train_to_the_end(log ? &*log : nullptr, found.result);
}

bool can_be_resumed(const std::filesystem::path& directory) {
  return std::filesystem::exists(CheckpointSeries::newest(directory)) ||
         load_config(directory, {}).train.checkpoint_every > 0;
}

std::string resume_problem(const std::filesystem::path& directory, const Experiment& experiment) {
  try {
    Experiment there = load_config(directory, {});
    const auto found = differences(there, "the existing run", experiment, "this command",
                                   [](const FieldText& f) { return f.affects_results || !f.changeable; });
    if (!found.empty()) return found.front();
    const std::filesystem::path file = CheckpointSeries::newest(directory);
    if (!can_be_resumed(directory)) return no_checkpoint(directory);
    return std::filesystem::exists(file) ? checkpoint_problem(file, experiment, false) : "";
  } catch (const std::exception& e) {  // not readable: a kill may have left half a file
    return e.what();
  }
}

void remove_checkpoints(const std::filesystem::path& directory) {
  CheckpointSeries::remove_older(directory);
  std::filesystem::remove(CheckpointSeries::newest(directory));
}

}  // namespace goalpost
