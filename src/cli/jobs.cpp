// Starting training processes, showing how far they have come, and waiting for them.
#include "cli/jobs.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/train_progress.h"
#include "core/check.h"
#include "run/build_info.h"
#include "run/resume.h"
#include "run/run_parts.h"
#include "run/run_result.h"
#include "storage/config_text.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"
#include "train/config.h"

namespace goalpost {
namespace {

// Starts `goalpost train` for a task in a process of its own.
pid_t start(const Task& task) {
  std::vector<std::string> words = {"goalpost", "train", "--quiet"};
  if (task.resume) {
    words.insert(words.end(), {"--resume", task.directory.string()});
  } else {
    words.insert(words.end(),
                 {task.config_file().string(), "--seed", std::to_string(task.seed), "--out", task.directory.string()});
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // In a process group of its own: Ctrl-C reaches this process alone, which then tells every child once.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", nullptr, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) throw std::runtime_error(fmt::format("cannot start a training process: {}", std::strerror(error)));
  return pid;
}

// A task that a process works at, and how far it has come: as of its last evaluation.
struct Job {
  const Task* task;
  std::string name;
  Experiment experiment;
  std::int64_t total;
  bool by_episodes;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::string result = "starting";
  std::int64_t done = 0;
  double rate = 0;

  explicit Job(const Task& t) : task(&t), experiment(experiment_of(t)) {
    name = fmt::format("{}{}{} seed {}", t.experiment, t.setting.empty() ? "" : " ", t.setting, t.seed);
    const TrainConfig& train = experiment.train;
    by_episodes = experiment.ends_by_episodes();
    total = by_episodes ? train.total_episodes : train.total_steps;
  }
  void look() {
    const std::filesystem::path file = task->directory / kEvalCurve;
    if (!std::filesystem::exists(file)) return;
    const CsvTable curve = read_csv(file);
    if (curve.rows() == 0) return;
    done = static_cast<std::int64_t>(curve.column(by_episodes ? "episodes" : "step").back());
    const double seconds = curve.column("wall_seconds").back();
    rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    result = evaluation_text(experiment, curve.column("success").back(), curve.column("return").back());
  }
  ProgressState state() const {
    return {.name = name,
            .unit = by_episodes ? "episode" : "step",
            .done = done,
            .total = total,
            .elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
            .rate = rate,
            .result = result};
  }
};

// Empty, or what sets a run apart from the one that a task wants.
std::string difference(const Experiment& there, const Experiment& wanted) {
  const auto found = differences(there, "the existing run", wanted, "this command",
                                 [](const FieldText& f) { return f.affects_results; });
  if (!found.empty()) return found.front();
  for (const auto& [what, a, b] : build_differences(there.build, wanted.build))
    return what == "resumed"  ? fmt::format("it was resumed {}", a)
           : what == "inputs" ? fmt::format("it began with {}, but the files have changed: {}", a, b)
                              : fmt::format("its {} is {}, but {} in this program", what, a, b);
  return "";
}

// Whether a run was killed before it had written its configuration.
bool not_begun(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kConfigFile;
  return std::distance(std::filesystem::directory_iterator(directory), {}) == 1 && std::filesystem::exists(file) &&
         std::filesystem::file_size(file) == 0;
}

}  // namespace

Experiment experiment_of(const Task& task) {
  TomlValues values = TomlValues::from_text(task.config, task.config_file().string());
  values.set(fmt::format("seed={}", task.seed));
  return make_experiment(values);
}

bool finished_earlier(Task& task, const char* purpose) {
  const std::filesystem::path& directory = task.directory;
  if (!std::filesystem::exists(directory) || std::filesystem::is_empty(directory)) return false;
  const std::string advice = "; choose another --out or move the directory";
  const std::filesystem::path file = directory / kConfigFile;
  Experiment wanted = experiment_of(task);
  try {
    const DirectoryLock lock(directory);
    for (const char* name : {kConfigFile, kResultFile, kEvalCurve}) static_cast<void>(has_file(directory / name));
    if (not_begun(directory)) {
      std::filesystem::remove(file);
      return false;
    }
    const TomlValues values = TomlValues::from_file(file);
    Experiment there = make_experiment(values);
    there.build = BuildInfo::recorded(values);
    if (!there.build.inputs.empty()) try {
        wanted.build.inputs = inputs_of(wanted);
      } catch (const std::exception& e) {
        fmt::print(stderr, "{}: {}; the files that it began with are not compared\n", directory.string(), e.what());
      }
    if (const std::string problem = difference(there, wanted); !problem.empty()) throw UsageError(problem);
    if (const std::string unknown = unknown_of(there.build); !unknown.empty())
      fmt::print(stderr, "{}: of an earlier version, which did not note its build's {}; not compared\n",
                 directory.string(), unknown);
    if (read_result(directory)) return true;
    if (const std::string problem = resume_problem(directory, wanted); !problem.empty()) throw UsageError(problem);
  } catch (const std::exception& e) {
    throw UsageError(fmt::format("{} cannot be used for {}: {}{}", directory.string(), purpose, e.what(), advice));
  }
  task.resume = true;
  fmt::print(stderr, "{}: unfinished; it continues\n", directory.string());
  return false;
}

int run_tasks(const std::vector<Task>& tasks, int jobs, bool quiet) {
  std::map<pid_t, Job> running;
  std::size_t next = 0, done = 0;
  int failed = 0;
  bool told = false;
  Progress bar("runs", static_cast<std::int64_t>(tasks.size()), "run", {.quiet = quiet});
  auto looked = std::chrono::steady_clock::now();
  const auto show = [&] {
    std::vector<ProgressState> states;
    for (auto& [pid, job] : running) {
      if (bar.on_terminal()) job.look();
      states.push_back(job.state());
    }
    looked = std::chrono::steady_clock::now();
    bar.update(static_cast<std::int64_t>(done), "", states);
  };
  while (next < tasks.size() || !running.empty()) {
    if (interrupted()) {
      next = tasks.size();
      if (!told)
        for (const auto& [pid, job] : running) kill(pid, SIGTERM);
      told = true;
    }
    while (next < tasks.size() && static_cast<int>(running.size()) < jobs) {
      running.emplace(start(tasks[next]), Job(tasks[next]));
      ++next;
    }
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == 0) {
      if (bar.on_terminal() && std::chrono::steady_clock::now() - looked > std::chrono::milliseconds(500)) show();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) throw std::system_error(errno, std::generic_category(), "cannot wait for a training process");
    const auto it = running.find(pid);
    if (it == running.end()) continue;
    const Task& task = *it->second.task;
    running.erase(it);
    const bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const std::optional<RunResult> r = succeeded ? read_result(task.directory) : std::nullopt;
    if (r || !interrupted()) ++done;  // one that was interrupted is not done
    if (r) {
      if (!task.keep_checkpoints) remove_checkpoints(task.directory);
      bar.line(fmt::format("{}{}{} seed {}: success {:.3f} ({} episodes) after {} steps, {} updates, {:.1f} s",
                           task.experiment, task.setting.empty() ? "" : " ", task.setting, task.seed, r->final.success,
                           r->final.episodes, r->progress.step, r->progress.updates, r->progress.wall_seconds));
    } else if (!interrupted()) {
      ++failed;
      bar.line(fmt::format("{}{}{} seed {}: failed, see {}", task.experiment, task.setting.empty() ? "" : " ",
                           task.setting, task.seed, task.directory.string()));
    }
    show();
  }
  bar.finish();
  return failed;
}

}  // namespace goalpost
