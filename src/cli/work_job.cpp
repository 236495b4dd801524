// Starting and listening to processes that train.
#include "cli/work_job.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/train_progress.h"
#include "core/communicator.h"
#include "report/group.h"
#include "storage/file.h"

namespace goalpost {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

TrainingProcess start_training(const PlannedRun& run, bool any_build) {
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

std::string last_sentence(const PlannedRun& run, int status) {
  if (WIFSIGNALED(status))
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  std::string text = std::filesystem::exists(run.log_file()) ? read_file(run.log_file()) : "";
  text.erase(text.find_last_not_of(" \n") + 1);
  text.erase(0, text.rfind('\n') + 1);  // npos + 1 is 0
  if (text.starts_with(kSpeaker)) text.erase(0, kSpeaker.size());
  return text.empty() ? fmt::format("ended with status {}", WEXITSTATUS(status)) : text;
}

bool was_stopped(int status) { return WIFEXITED(status) && (WEXITSTATUS(status) == 75 || WEXITSTATUS(status) == 130); }

std::string short_name(const PlannedRun& run, bool with_experiment) {
  constexpr std::size_t kMost = 28;  // leaves room for times in 80 columns
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

Job::Job(PlannedRun& r, Claim c, Experiment e, const TrainingProcess& p, std::string shown_as)
    : run(&r), claim(std::move(c)), child(p), experiment(std::move(e)), name(std::move(shown_as)) {
  look();
}

Job::~Job() { ::close(child.pipe); }

void Job::listen() {
  for (std::int64_t told = 0; ::read(child.pipe, &told, sizeof told) == sizeof told;) {
    if (first < 0) {
      first = told;
      start = Clock::now();
    }
    done = told;
  }
}

void Job::look() {
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

ProgressState Job::progress() const {
  return {.name = name,
          .unit = state.by_episodes ? "episode" : "step",
          .done = state.done,
          .total = state.total,
          .elapsed_s = seconds_since(start),
          .rate = state.rate,
          .result = result};
}

Heart::Heart() {
  // Signals are for the thread that asks interrupted().
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { beat(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Heart::~Heart() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Heart::add(PlannedRun& run, Claim claim, Experiment experiment, const TrainingProcess& child, std::string name) {
  const std::lock_guard lock(mutex_);
  jobs_.emplace_back(run, std::move(claim), std::move(experiment), child, std::move(name));
}

void Heart::remove(const Job& job) {
  const std::lock_guard lock(mutex_);
  jobs_.remove_if([&](const Job& j) { return &j == &job; });
}

void Heart::beat() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::duration<double>(kBeatSeconds), [this] { return ends_; }))
    for (Job& job : jobs_) try {
        if (!job.claim.beat(job.done)) job.lost = true;
      } catch (const std::exception&) {  // a file system that is away for a while
      }
}

}  // namespace goalpost
