// The runs that this process works at: the process that trains each of them, what it has told, and the signs of life
// that it gives for them (run/claim.h).
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "cli/progress.h"
#include "run/claim.h"
#include "run/experiment.h"
#include "run/plan.h"

namespace goalpost {

/// What programs begin their sentences with.
inline constexpr std::string_view kSpeaker = "goalpost: ";

/// A process that trains a run, and the pipe that it tells on how far it has come.
struct TrainingProcess {
  pid_t pid;
  int pipe;
};

/// Starts `goalpost train` for a run in a process of its own, which ends with this one: whoever takes the run over
/// shall be alone. @throws std::system_error
TrainingProcess start_training(const PlannedRun& run, bool any_build);

/// The last sentence that a process said, or what ended it. @param status as waitpid has it
std::string last_sentence(const PlannedRun& run, int status);

/// Whether a process ended by a signal that it saves its state on: the run goes on when it is taken again.
bool was_stopped(int status);

/// What sets the run apart, with the last parts of the settings' paths: a bar leaves little room for names.
std::string short_name(const PlannedRun& run, bool with_experiment);

/// A run that this process works at.
struct Job {
  PlannedRun* run;
  Claim claim;
  TrainingProcess child;
  Experiment experiment;
  std::atomic<bool> lost = false;       ///< taken over by another process
  std::atomic<std::int64_t> done = -1;  ///< transitions or episodes, as the process has told; -1: nothing yet
  std::int64_t first = -1;              ///< the first of these
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  RunState state;
  std::string name, result;  ///< as the bar shows them

  Job(PlannedRun& r, Claim c, Experiment e, const TrainingProcess& p, std::string shown_as);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  void listen();  ///< takes what the process has told since the last call
  void look();    ///< at the run's files
  ProgressState progress() const;
};

/// Gives signs of life for all jobs, whatever the process waits for.
class Heart {
 public:
  Heart();
  ~Heart();
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

  void add(PlannedRun& run, Claim claim, Experiment experiment, const TrainingProcess& child, std::string name);
  void remove(const Job& job);
  /// Changed by the thread that made this object only; others may read.
  std::list<Job>& jobs() { return jobs_; }

 private:
  void beat();

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ends_ = false;
  std::list<Job> jobs_;
  std::thread thread_;
};

}  // namespace goalpost
