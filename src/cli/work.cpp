// Taking runs, starting their processes, showing how far they have come, and waiting for them.
#include "cli/work.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/train_progress.h"
#include "core/check.h"
#include "core/communicator.h"
#include "report/group.h"
#include "run/claim.h"
#include "run/experiment.h"
#include "run/resume.h"
#include "run/run_result.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A process that trains a run, and the pipe that it tells on how far it has come.
struct Child {
  pid_t pid;
  int pipe;
};

// Starts `goalpost train` for a run in a process of its own, which ends with this one: whoever takes the run over shall
// be alone.
Child start(const PlannedRun& run, bool any_build) {
  std::vector<std::string> words = {"goalpost", "train", "--quiet"};
  if (run.resume) words.insert(words.end(), {"--resume", run.directory.string()});
  if (run.resume && any_build) words.push_back("--any-build");
  if (!run.resume)
    words.insert(words.end(),
                 {run.config_file().string(), "--seed", std::to_string(run.seed), "--out", run.directory.string()});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = run.log_file().string();
  const int err = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (err < 0) throw std::system_error(errno, std::generic_category(), fmt::format("cannot write {}", log));
  std::array<int, 2> pipe = {-1, -1};
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    ::close(err);
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  ::setenv(kProgressPipe, std::to_string(pipe[1]).c_str(), 1);
  ::setenv(kNotLaunched, "1", 1);
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid == 0) {  // only what may be called between fork and exec
    // In a process group of its own: Ctrl-C reaches this process alone, which then tells every child once.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::dup2(err, STDERR_FILENO) < 0 || ::fcntl(pipe[1], F_SETFD, 0) != 0) ::_exit(127);
    ::execv("/proc/self/exe", argv.data());
    ::_exit(127);
  }
  const int reason = errno;
  ::unsetenv(kProgressPipe);
  ::unsetenv(kNotLaunched);
  ::close(err);
  ::close(pipe[1]);
  if (pid < 0) {
    ::close(pipe[0]);
    throw std::system_error(reason, std::generic_category(), "cannot start a training process");
  }
  return {pid, pipe[0]};
}

// The last sentence that a process said, or what ended it.
std::string last_sentence(const PlannedRun& run, int status) {
  if (WIFSIGNALED(status))
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  std::string text = std::filesystem::exists(run.log_file()) ? read_file(run.log_file()) : "";
  text.erase(text.find_last_not_of(" \n") + 1);
  text.erase(0, text.rfind('\n') + 1);  // npos + 1 is 0
  if (text.starts_with("goalpost: ")) text.erase(0, std::strlen("goalpost: "));
  return text.empty() ? fmt::format("ended with status {}", WEXITSTATUS(status)) : text;
}

// What sets the run apart, with the last parts of the settings' paths: a bar leaves little room for names.
std::string short_name(const PlannedRun& run, bool with_experiment) {
  constexpr std::size_t kMost = 34;
  std::string setting;
  for (const Change& change : changes_of(run.setting, {}))
    setting += fmt::format("{}{}={}", setting.empty() ? "" : ",", change.path.substr(change.path.rfind('.') + 1),
                           change.value);
  const bool named = with_experiment || setting.empty();
  std::string name = fmt::format("{}{}{} seed {}", named ? run.experiment : "", named && !setting.empty() ? " " : "",
                                 setting, run.seed);
  if (name.size() > kMost) name.replace(0, name.size() - kMost + 2, "..");
  return name;
}

// A run that a process works at.
struct Job {
  PlannedRun* run;
  Claim claim;
  Child child;
  Experiment experiment;
  std::atomic<bool> lost = false;       // taken over by another process
  std::atomic<std::int64_t> done = -1;  // transitions or episodes, as the process has told; -1: nothing yet
  std::int64_t first = -1;              // the first of these
  Clock::time_point start = Clock::now();
  RunState state;
  std::string name, result;  // as the bar shows them

  Job(PlannedRun& r, Claim c, Experiment e, const Child& p, std::string shown_as)
      : run(&r), claim(std::move(c)), child(p), experiment(std::move(e)), name(std::move(shown_as)) {
    look();
  }
  ~Job() { ::close(child.pipe); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // What the process has told since the last call.
  void listen() {
    for (std::int64_t told = 0; ::read(child.pipe, &told, sizeof told) == sizeof told;) {
      if (first < 0) {
        first = told;
        start = Clock::now();
      }
      done = told;
    }
  }
  void look() {
    try {
      state = state_of(*run, experiment);
    } catch (const std::exception&) {  // a curve that cannot be read is told of when the run has ended
    }
    if (done >= 0) {
      const double seconds = seconds_since(start);
      state.done = done;
      if (seconds > 1) state.rate = static_cast<double>(done - first) / seconds;
    }
    // The evaluation before training says nothing of what was learned.
    const bool tells = state.evaluated && state.trained;
    result = tells ? evaluation_text(experiment, state.success, state.mean_return) : "";
  }
  ProgressState progress() const {
    return {.name = name,
            .unit = state.by_episodes ? "episode" : "step",
            .done = state.done,
            .total = state.total,
            .elapsed_s = seconds_since(start),
            .rate = state.rate,
            .result = result};
  }
};

// Gives signs of life for all jobs, whatever the process waits for.
class Heart {
 public:
  Heart() {
    // Signals are for the thread that asks interrupted().
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { beat(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Heart() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

  void add(PlannedRun& run, Claim claim, Experiment experiment, const Child& child, std::string name) {
    const std::lock_guard lock(mutex_);
    jobs_.emplace_back(run, std::move(claim), std::move(experiment), child, std::move(name));
  }
  void remove(const Job& job) {
    const std::lock_guard lock(mutex_);
    jobs_.remove_if([&](const Job& j) { return &j == &job; });
  }
  /// Changed by the thread that made this object only; others may read.
  std::list<Job>& jobs() { return jobs_; }

 private:
  void beat() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::duration<double>(kBeatSeconds), [this] { return ends_; }))
      for (Job& job : jobs_) try {
          if (!job.claim.beat(job.done)) job.lost = true;
        } catch (const std::exception&) {  // a file system that is away for a while
        }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ends_ = false;
  std::list<Job> jobs_;
  std::thread thread_;
};

class Work {
 public:
  Work(std::vector<PlannedRun> runs, const WorkOptions& options)
      : options_(options), runs_(std::move(runs)), states_(runs_.size(), State::open) {
    const auto finished = std::count_if(runs_.begin(), runs_.end(), has_result);
    bar_.emplace("runs", static_cast<std::int64_t>(runs_.size()), "run",
                 ProgressOptions{.first = finished, .quiet = options.quiet});
    for (std::size_t i = 0; i < runs_.size(); ++i) look(i);
  }

  WorkResult operator()() {
    while (true) {
      if (!stopping_ && (interrupted() || seconds_since(start_) > options_.limit_s)) stop();
      bool busy = reap();
      if (!stopping_) busy |= take_runs();
      if (heart_.jobs().empty() && (stopping_ || count(State::open) == 0)) break;
      if (busy) continue;
      if (heart_.jobs().empty() && !stopping_) {
        tell_holders();
        if (!options_.waits) break;
      }
      if (bar_->on_terminal() && seconds_since(shown_) > 0.5) show();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    for (std::size_t i = 0; i < runs_.size() && !stopping_; ++i)
      if (states_[i] == State::done) clear_up(runs_[i]);  // others may have been killed since
    bar_->finish();
    return {
        .done = count(State::done), .failed = count(State::failed), .left = count(State::open), .stopped = stopping_};
  }

 private:
  enum class State { open, done, failed };

  int count(State state) const { return static_cast<int>(std::count(states_.begin(), states_.end(), state)); }
  std::int64_t ended() const { return count(State::done) + count(State::failed); }
  bool is_mine(std::size_t i) {
    return std::any_of(heart_.jobs().begin(), heart_.jobs().end(),
                       [&](const Job& job) { return job.run == &runs_[i]; });
  }

  static bool has_result(const PlannedRun& run) { return std::filesystem::exists(run.directory / kResultFile); }

  // What has become of a run, whoever worked at it.
  void look(std::size_t i) {
    PlannedRun& run = runs_[i];
    if (has_result(run)) {
      if (is_locked(run.directory)) return;  // its process is just ending
      try {
        if (!is_finished(run)) return;
        states_[i] = State::done;
        clear_up(run);
      } catch (const std::exception& e) {
        fail(i, e.what());
      }
    } else if (!options_.retries && std::filesystem::exists(run.failure_file())) {
      states_[i] = State::failed;
      bar_->line(fmt::format("{}: failed earlier: {}{}", run.name(), failure_of(run).value_or(""), log_hint(run)));
    }
  }
  // What a process leaves of a finished run if it is killed before it has tidied up.
  void clear_up(const PlannedRun& run) {
    if (holder_of(run.directory) && Claim::take(run.directory, watch_)) tidy(run);
  }
  // @throws UsageError if it is another run, or cannot go on
  bool is_finished(PlannedRun& run) {
    run.resume = false;
    const auto tell = [this](const std::string& sentence) { bar_->line(sentence); };
    return finished_earlier(run, "this plan", tell, options_.any_build);
  }

  // Removes what a finished run does not need.
  static void tidy(const PlannedRun& run) {
    if (!run.keep_checkpoints) remove_checkpoints(run.directory);
    if (std::filesystem::exists(run.log_file()) && std::filesystem::file_size(run.log_file()) == 0)
      std::filesystem::remove(run.log_file());
  }

  void stop() {
    stopping_ = true;
    for (const Job& job : heart_.jobs()) ::kill(job.child.pid, SIGTERM);
  }

  // Takes runs that nobody has, as many as may run. Returns whether there was one.
  bool take_runs() {
    if (static_cast<int>(heart_.jobs().size()) >= options_.jobs || seconds_since(taken_) < wait_s_) return false;
    bool taken = false;
    for (std::size_t i = 0; i < runs_.size() && static_cast<int>(heart_.jobs().size()) < options_.jobs; ++i) {
      if (states_[i] != State::open || is_mine(i)) continue;
      look(i);
      if (states_[i] == State::open) taken |= take(i);
      if (interrupted()) break;
    }
    taken_ = Clock::now();
    wait_s_ = taken ? 0 : 1;  // until the next look at the others' runs
    bar_->update(ended());
    return taken;
  }

  bool take(std::size_t i) {
    PlannedRun& run = runs_[i];
    std::optional<Claim> claim = Claim::take(run.directory, watch_);
    if (!claim) return false;
    // As of now, with nobody else at work: it may have been finished, or be left by a process that is just ending.
    if (is_locked(run.directory)) return false;
    try {
      if (is_finished(run)) {
        states_[i] = State::done;
        tidy(run);
        return false;
      }
      Experiment experiment = experiment_of(run);
      if (read_file(run.config_file()) != run.config)
        throw UsageError(
            fmt::format("{} has been changed since the work began; expected it as it was", run.config_file().string()));
      const bool several = run.experiment != runs_.front().experiment || run.experiment != runs_.back().experiment;
      std::string name = short_name(run, several);
      std::filesystem::remove(run.failure_file());
      const Child child = start(run, options_.any_build);  // from here on nothing may fail: the child is the job's
      heart_.add(run, std::move(*claim), std::move(experiment), child, std::move(name));
      return true;
    } catch (const std::exception& e) {  // this run's own: the others go on
      fail(i, e.what());
      return false;
    }
  }

  void fail(std::size_t i, const std::string& sentence) {
    const PlannedRun& run = runs_[i];
    states_[i] = State::failed;
    bar_->line(fmt::format("{}: failed: {}{}", run.name(), sentence, log_hint(run)));
    try {
      write_file_atomically(run.failure_file(), sentence + "\n");
    } catch (const std::exception& e) {
      bar_->line(fmt::format("{}: {}", run.name(), e.what()));
    }
  }
  // What the process of a finished run had to say.
  void tell_log(const PlannedRun& run) {
    if (!std::filesystem::exists(run.log_file())) return;
    std::istringstream log(read_file(run.log_file()));
    for (std::string line; std::getline(log, line);)  // runs of one setting say the same
      if (said_.insert(line).second) bar_->line(fmt::format("{}: {}", run.name(), line));
  }
  static std::string log_hint(const PlannedRun& run) {
    std::error_code ignored;
    const bool told = std::filesystem::file_size(run.log_file(), ignored) > 0 && !ignored;
    return told ? fmt::format(" (see {})", run.log_file().string()) : "";
  }

  // Looks which processes have ended. Returns whether there was one.
  bool reap() {
    for (Job& job : heart_.jobs()) {
      job.listen();
      if (job.lost.exchange(false)) ::kill(job.child.pid, SIGKILL);
      int status = 0;
      const pid_t pid = ::waitpid(job.child.pid, &status, WNOHANG);
      if (pid == 0 || (pid < 0 && errno == EINTR)) continue;
      if (pid < 0) throw std::system_error(errno, std::generic_category(), "cannot wait for a training process");
      finish(job, status);
      return true;
    }
    return false;
  }

  void finish(const Job& job, int status) {
    const std::size_t i = static_cast<std::size_t>(job.run - runs_.data());
    const PlannedRun& run = runs_[i];
    const bool is_others = !job.claim.beat();
    std::optional<RunResult> r;
    std::string problem;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) try {
        r = read_result(run.directory);
        problem = r ? difference_from_plan(run, true) : "it has no result";
      } catch (const std::exception& e) {
        problem = e.what();
      }
    if (!problem.empty()) {
      fail(i, problem);
    } else if (r) {
      states_[i] = State::done;
      tell_log(run);
      tidy(run);
      bar_->line(fmt::format("{}: success {:.3f} ({} episodes) after {} steps, {} updates, {:.1f} s", run.name(),
                             r->final.success, r->final.episodes, r->progress.step, r->progress.updates,
                             r->progress.wall_seconds));
    } else if (is_others) {
      bar_->line(fmt::format("{}: taken over by another process, as this one gave no sign of life", run.name()));
    } else if (!stopping_ && !was_stopped(status)) {
      fail(i, last_sentence(run, status));
    }
    heart_.remove(job);
    bar_->update(ended());
    show();
  }

  // By a signal that it saves its state on: it goes on when it is taken again.
  static bool was_stopped(int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 75 || WEXITSTATUS(status) == 130);
  }

  // Who works at the rest, once for each holder.
  void tell_holders() {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (states_[i] != State::open) continue;
      const std::optional<ClaimHolder> holder = holder_of(runs_[i].directory);
      if (!holder || std::find(told_.begin(), told_.end(), holder->file) != told_.end()) continue;
      told_.push_back(holder->file);
      bar_->line(
          fmt::format("{}: {} works at it{}", runs_[i].name(), holder->text(), options_.waits ? "; waiting" : ""));
    }
  }

  void show() {
    std::vector<ProgressState> states;
    for (Job& job : heart_.jobs()) {
      if (bar_->on_terminal()) job.look();
      states.push_back(job.progress());
    }
    shown_ = Clock::now();
    bar_->update(ended(), "", states);
  }

  WorkOptions options_;
  std::vector<PlannedRun> runs_;
  std::vector<State> states_;
  Clock::time_point start_ = Clock::now(), shown_ = start_, taken_ = start_;
  double wait_s_ = 0;
  bool stopping_ = false;
  std::vector<std::filesystem::path> told_;
  std::set<std::string> said_;
  ClaimWatch watch_;
  Heart heart_;
  std::optional<Progress> bar_;
};

}  // namespace

WorkResult work_off(std::vector<PlannedRun> runs, const WorkOptions& options) {
  return Work(std::move(runs), options)();
}

}  // namespace goalpost
