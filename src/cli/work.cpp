// Taking runs, showing how far they have come, and waiting for them.
#include "cli/work.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/time_left.h"
#include "cli/train_progress.h"
#include "cli/work_job.h"
#include "core/check.h"
#include "core/text.h"
#include "run/claim.h"
#include "run/experiment.h"
#include "run/resume.h"
#include "run/run_result.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Work {
 public:
  Work(std::vector<PlannedRun> runs, const WorkOptions& options)
      : options_(options), runs_(std::move(runs)), states_(runs_.size(), State::open) {
    const auto finished = std::count_if(runs_.begin(), runs_.end(), has_result);
    for (const PlannedRun& run : runs_)
      times_.push_back({.experiment = run.experiment, .setting = run.setting, .total = planned_length(run)});
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
      if (seconds_since(shown_) > (bar_->on_terminal() ? 0.5 : 5)) show();
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

  // The most transitions, or episodes, of a run.
  static std::int64_t planned_length(const PlannedRun& run) {
    const TomlValues values = TomlValues::from_text(run.config, run.config_file().string());
    for (const char* path : {"train.total_episodes", "train.total_steps"})
      if (const TomlValues::Value* v = values.find(path); v != nullptr)
        if (const auto* n = std::get_if<std::int64_t>(&v->value); n != nullptr && *n > 0) return *n;
    return 0;
  }

  // How long all runs still take, by those that have ended or are under way.
  double time_left() {
    std::vector<RunTime> times = times_;
    for (std::size_t i = 0; i < times.size(); ++i)
      if (states_[i] != State::open) times[i].left = 0;
    for (const Job& job : heart_.jobs()) {
      const RunState& s = job.state;
      if (s.rate <= 0) continue;
      RunTime& time = times[static_cast<std::size_t>(job.run - runs_.data())];
      time.whole = static_cast<double>(s.total) / s.rate;
      time.left = static_cast<double>(std::max<std::int64_t>(s.total - s.done, 0)) / s.rate;
    }
    estimate(times);
    return seconds_left(times, static_cast<int>(heart_.jobs().size()));
  }

  void end(std::size_t i) {
    states_[i] = State::done;
    if (const std::optional<RunResult> r = read_result(runs_[i].directory)) times_[i].whole = r->progress.wall_seconds;
  }

  static bool has_result(const PlannedRun& run) { return std::filesystem::exists(run.directory / kResultFile); }

  // What has become of a run, whoever worked at it.
  void look(std::size_t i) {
    PlannedRun& run = runs_[i];
    if (has_result(run)) {
      if (is_locked(run.directory)) return;  // its process is just ending
      try {
        if (!is_finished(run)) return;
        end(i);
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
    const auto tell = [this](const std::string& sentence) {
      if (!options_.told) bar_->line(sentence);
    };
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
    if (const std::size_t n = heart_.jobs().size(); n > 0)
      bar_->line(fmt::format("stopping: {} save{} what {} learned", n == 1 ? "a run" : fmt::format("{} runs", n),
                             n == 1 ? "s" : "", n == 1 ? "it has" : "they have"));
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
        end(i);
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
      const TrainingProcess child =
          start_training(run, options_.any_build);  // from here on nothing may fail: the child is the job's
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
    const std::string line = fmt::format("{}: failed: {}{}", run.name(), sentence, log_hint(run));
    if (options_.quiet)
      print_error(line);
    else
      bar_->line(line);
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
    for (std::string line; std::getline(log, line);) {  // runs of one setting say the same
      if (line.starts_with(kSpeaker)) line.erase(0, kSpeaker.size());
      if (said_.insert(line).second) bar_->line(fmt::format("{}, and perhaps others: {}", run.name(), line));
    }
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
      end(i);
      tell_log(run);
      tidy(run);
      bar_->line(fmt::format("{}: {} ({} episodes) after {} steps, {} updates, {:.1f} s", run.name(),
                             final_text(job.experiment, r->final), r->final.episodes, r->progress.step,
                             r->progress.updates, r->progress.wall_seconds));
    } else if (is_others) {
      bar_->line(fmt::format("{}: taken over by another process, as this one gave no sign of life", run.name()));
    } else if (!stopping_ && !was_stopped(status)) {
      fail(i, last_sentence(run, status));
    }
    heart_.remove(job);
    bar_->update(ended());
    show();
  }

  // Who works at the rest, once for each holder.
  void tell_holders() {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (states_[i] != State::open) continue;
      const std::optional<ClaimHolder> holder = holder_of(runs_[i].directory);
      if (!holder || std::find(told_.begin(), told_.end(), holder->file) != told_.end()) continue;
      told_.push_back(holder->file);
      bar_->line(
          fmt::format("{}: {} is training it{}", runs_[i].name(), holder->text(), options_.waits ? "; waiting" : ""));
    }
  }

  void show() {
    std::vector<ProgressState> states;
    for (Job& job : heart_.jobs()) {
      job.look();
      states.push_back(job.progress());
    }
    shown_ = Clock::now();
    bar_->set_time_left(time_left());
    bar_->update(ended(), "", states);
  }

  WorkOptions options_;
  std::vector<PlannedRun> runs_;
  std::vector<State> states_;
  std::vector<RunTime> times_;
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
