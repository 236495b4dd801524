#include "report/figure.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <map>
#include <system_error>
#include <thread>

#include "core/data_path.h"
#include "core/suggest.h"
#include "core/parallel.h"
#include "core/text.h"
#include "run/experiment.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "report/report.h"
#include "report/report_figures.h"
#include "run/runner.h"
#include "report/statistics.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "storage/toml.h"

extern char** environ;

namespace goalpost {
namespace {

// The files of all figures, by name.
std::map<std::string, std::filesystem::path> figure_files() {
  std::map<std::string, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory() / "figures"))
    if (entry.path().extension() == ".toml") files[entry.path().stem().string()] = entry.path();
  return files;
}

// @throws UsageError, or std::runtime_error for what is no plain file
FigureConfig read_figure(const std::filesystem::path& file) {
  static_cast<void>(has_file(file));
  const TomlValues values = TomlValues::from_file(file);
  FigureConfig figure;
  ConfigReader reader(values);
  visit_fields(figure, reader);
  const std::vector<std::string> problems = reader.problems();
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  return figure;
}

// One run. Its configuration is read once: what changes in the experiments' files later has no effect.
struct Task {
  std::string experiment, setting;  // "env.bits=40"
  int seed;
  std::filesystem::path directory;
  std::string config;  // as TOML, but for the seed
  bool resume = false;

  std::filesystem::path config_file() const { return directory.parent_path() / "setting.toml"; }
};

Experiment experiment_of(const Task& task) {
  TomlValues values = TomlValues::from_text(task.config, task.config_file().string());
  values.set(fmt::format("seed={}", task.seed));
  return make_experiment(values);
}

// @throws UsageError for what the command itself sets
void check_set(const FigureConfig& figure, const ReproduceOptions& o) {
  for (const std::string& s : o.set) {
    const std::string key = s.substr(0, s.find('='));
    if (key == "seed")
      throw UsageError(
          fmt::format("--set {}: the runs of a figure have the seeds 1, 2, ...; --seeds N says how many there are", s));
    if (key == "name")
      throw UsageError(
          fmt::format("--set {}: the runs of a figure are told apart by name; expected another setting", s));
    if (!figure.key.empty() && key == figure.key)
      throw UsageError(fmt::format("--set {}: {} is the x axis of {}; --values {} sets its points", s, figure.key,
                                   o.figure, s.find('=') == s.npos ? "10,20" : s.substr(s.find('=') + 1)));
  }
}

std::vector<Task> make_tasks(const FigureConfig& figure, const ReproduceOptions& o, const std::filesystem::path& out) {
  std::vector<int> values = !o.values.empty() ? o.values : o.quick ? figure.quick_values : figure.values;
  std::sort(values.rbegin(), values.rend());  // the longest first, so that no long run is left for the end
  if (figure.key.empty()) {
    if (!o.values.empty())
      throw UsageError(fmt::format("--values: {} compares experiments and has no setting to vary", o.figure));
    values = {0};
  }
  std::vector<Task> tasks;
  for (const int value : values) {
    for (const std::string& experiment : figure.experiments) {
      std::string setting;
      std::vector<std::string> set;
      if (!figure.key.empty()) set = {setting = fmt::format("{}={}", figure.key, value)};
      if (o.quick) set.insert(set.end(), figure.quick_set.begin(), figure.quick_set.end());
      set.insert(set.end(), o.set.begin(), o.set.end());
      TomlValues all = load_experiment(experiment);
      for (const std::string& s : set) all.set(s);
      const std::string config = make_experiment(all).to_toml();  // throws before any work if a setting is wrong
      for (int seed = 1; seed <= (o.seeds > 0 ? o.seeds : figure.seeds); ++seed)
        tasks.push_back({experiment, setting, seed, out / experiment / setting / fmt::format("seed_{}", seed), config});
    }
  }
  return tasks;
}

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
  std::int64_t total;
  bool by_episodes;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::string postfix = "starting";
  std::int64_t done = 0;
  double rate = 0;

  explicit Job(const Task& t) : task(&t) {
    name = fmt::format("{}{}{} seed {}", t.experiment, t.setting.empty() ? "" : " ", t.setting, t.seed);
    const TrainConfig train = experiment_of(t).train;
    by_episodes = train.total_episodes > 0;
    total = by_episodes ? train.total_episodes : train.total_steps;
  }
  void look() {
    const std::filesystem::path file = task->directory / "eval.csv";
    if (!std::filesystem::exists(file)) return;
    const CsvTable curve = read_csv(file);
    if (curve.rows() == 0) return;
    done = static_cast<std::int64_t>(curve.column(by_episodes ? "episodes" : "step").back());
    const double seconds = curve.column("wall_seconds").back();
    rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    postfix = fmt::format("success={:.2f}", curve.column("success").back());
  }
  ProgressState state() const {
    return {.name = name,
            .unit = by_episodes ? "episode" : "step",
            .done = done,
            .total = total,
            .elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
            .rate = rate,
            .postfix = postfix};
  }
};

// Runs the tasks, some at a time. Returns how many failed.
int run_tasks(const std::vector<Task>& tasks, int jobs) {
  std::map<pid_t, Job> running;
  std::size_t next = 0, done = 0;
  int failed = 0;
  bool told = false;
  Progress bar("runs", static_cast<std::int64_t>(tasks.size()), "run");
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
    ++done;
    const bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const std::optional<RunResult> r = succeeded ? read_result(task.directory) : std::nullopt;
    if (r) {
      remove_checkpoints(task.directory);  // there may be hundreds of runs, and nobody trains on with them
      bar.line(fmt::format("{} {} seed {}: success {:.3f} ({} episodes) after {} steps, {} updates, {:.1f} s",
                           task.experiment, task.setting, task.seed, r->final.success, r->final.episodes,
                           r->progress.step, r->progress.updates, r->progress.wall_seconds));
    } else if (!interrupted()) {
      ++failed;
      bar.line(fmt::format("{} {} seed {}: failed, see {}", task.experiment, task.setting, task.seed,
                           task.directory.string()));
    }
    show();
  }
  bar.finish();
  return failed;
}

// Empty, or what sets a run apart from the one that a task wants.
std::string difference(const Experiment& there, const std::string& where, const Experiment& wanted) {
  const auto found =
      differences(there, where, wanted, "the run that is wanted", [](const FieldText& f) { return f.affects_results; });
  if (!found.empty()) return found.front();
  for (const auto& [what, a, b] : build_differences(there.build, wanted.build))
    return what == "resumed" ? fmt::format("it was resumed {}", a)
                             : fmt::format("its {} is {}, but {} in this program", what, a, b);
  return "";
}

// Whether a run was killed before it had written its configuration.
bool not_begun(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "config.toml";
  return std::distance(std::filesystem::directory_iterator(directory), {}) == 1 && std::filesystem::exists(file) &&
         std::filesystem::file_size(file) == 0;
}

// Whether a task has a finished run, and if an unfinished one, that it can go on.
// @throws UsageError if its directory holds something else: nothing is deleted, and nothing else is drawn
bool finished_earlier(Task& task) {
  const std::filesystem::path& directory = task.directory;
  if (!std::filesystem::exists(directory) || std::filesystem::is_empty(directory)) return false;
  const std::string advice = "; expected another --out, or that you move it away";
  const std::filesystem::path file = directory / "config.toml";
  const Experiment wanted = experiment_of(task);
  try {
    const DirectoryLock lock(directory);
    for (const char* name : {"config.toml", "result.json", "eval.csv"}) static_cast<void>(has_file(directory / name));
    if (not_begun(directory)) {
      std::filesystem::remove(file);
      return false;
    }
    const TomlValues values = TomlValues::from_file(file);
    Experiment there = make_experiment(values);
    there.build = BuildInfo::recorded(values);
    if (const std::string problem = difference(there, file.string(), wanted); !problem.empty())
      throw UsageError(problem);
    if (const std::string unknown = unknown_of(there.build); !unknown.empty())
      fmt::print(stderr, "{}: of an earlier version, which did not note its build's {}; not compared\n",
                 directory.string(), unknown);
    if (read_result(directory)) return true;
    if (const std::string problem = resume_problem(directory, wanted); !problem.empty()) throw UsageError(problem);
  } catch (const std::exception& e) {
    throw UsageError(fmt::format("{} cannot be used for this figure: {}{}", directory.string(), e.what(), advice));
  }
  task.resume = true;
  fmt::print(stderr, "{}: left unfinished earlier; going on\n", directory.string());
  return false;
}

// The finished runs below a directory, of this call or earlier ones, that differ from a task in seed and place on the
// axis only. For what cannot be read a sentence is printed and added to `unreadable`.
std::vector<FinishedRun> runs_to_draw(const std::filesystem::path& out, const FigureConfig& figure,
                                      const std::vector<Task>& tasks, std::vector<std::string>& unreadable) {
  std::vector<FinishedRun> runs = find_runs({out}, &unreadable);
  for (const std::string& sentence : unreadable) fmt::print(stderr, "{}; left out\n", sentence);
  std::erase_if(runs, [&](const FinishedRun& run) {
    std::string problem = "it is of no experiment of this figure";
    for (const Task& task : tasks) {
      if (task.experiment != run.experiment.name) continue;
      Experiment wanted = experiment_of(task);
      const auto found = differences(
          run.experiment, (run.directory / "config.toml").string(), wanted, "this figure",
          [&](const FieldText& f) { return f.affects_results && f.path != "seed" && f.path != figure.key; });
      problem = found.empty() ? "" : found.front();
      break;
    }
    if (!problem.empty()) fmt::print(stderr, "{}: {}; left out\n", run.directory.string(), problem);
    return !problem.empty();
  });
  return runs;
}

double x_of(const FinishedRun& run, const std::string& key) {
  Experiment& e = const_cast<Experiment&>(run.experiment);  // visiting writes nothing here
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); }))
    if (f.path == key) return std::stod(f.value);
  throw std::runtime_error(fmt::format("{} has no field {}", run.directory.string(), key));
}

// The settings and the drawing of a plot of success against the figure's key.
void draw_curves(const FigureConfig& figure, const std::vector<std::string>& labels, double x_max, Plot& plot) {
  plot.settings = fmt::format(
      "set xlabel {0}\nset ylabel 'success rate'\nset yrange [-0.04:1.08]\nset xrange [0:{1}]\nset key "
      "outside bottom center horizontal\nset style fill transparent solid 0.2 noborder\n",
      gnuplot_string(figure.x_label), 1.02 * x_max);
  for (std::size_t i = 0; i < figure.paper_limit.size() && i < labels.size(); ++i)
    plot.settings += fmt::format("set arrow from {0},-0.04 to {0},1.04 nohead dt 2 lc rgb '{1}'\n",
                                 figure.paper_limit[i], curve_style(i).colour);
  plot.drawing = "plot ";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string data =
        fmt::format("'{}.csv' using (strcol(1) eq '{}' ? $2 : NaN)", plot.name, figure.experiments[i]);
    plot.drawing += fmt::format("{}:5:6 with filledcurves lc rgb '{}' notitle, ", data, curve_style(i).colour);
    // Earlier curves are wider, so that curves on top of each other are all seen.
    plot.drawing +=
        fmt::format("{}:4 with linespoints ps 0.5 lw {} {} title {}, ", data,
                    1.5 + 1.2 * static_cast<double>(labels.size() - 1 - i), line_style(i), gnuplot_string(labels[i]));
  }
  plot.drawing += "NaN with lines dt 2 lc rgb 'black' title 'largest value solved in the paper'\n";
}

// A bar for each experiment, from above to below.
void draw_bars(const std::vector<std::string>& labels, Plot& plot) {
  std::string tics;
  for (std::size_t i = 0; i < labels.size(); ++i)
    tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_string(labels[i]), -static_cast<int>(i));
  plot.settings = fmt::format(
      "set xlabel 'success rate, with the 95 % interval'\nset xrange [0:1.04]\nset yrange [{}:0.6]\n"
      "set ytics ({})\nset style fill solid 0.7 noborder\nunset key\n",
      0.4 - static_cast<double>(labels.size()), tics);
  plot.drawing = fmt::format(
      "plot '{0}.csv' every ::1 using 4:(-$2):(0):4:(-$2-0.3):(-$2+0.3) with boxxyerror lc rgb '{1}', "
      "'' every ::1 using 4:(-$2):5:6 with xerrorbars pt 7 ps 0.5 lw 1.5 lc rgb 'black'\n",
      plot.name, curve_style(0).colour);
  plot.height = 110 + 30 * static_cast<int>(labels.size());
}

}  // namespace

const std::map<std::string, FigureConfig>& figures() {
  static const std::map<std::string, FigureConfig> all = [] {
    std::map<std::string, FigureConfig> readable;
    for (const auto& [name, file] : figure_files()) {
      try {
        readable[name] = read_figure(file);
      } catch (const std::exception& e) {
        fmt::print(stderr, "goalpost: {}: {}; the figure is left out\n", file.string(), e.what());
      }
    }
    return readable;
  }();
  return all;
}

std::vector<std::string> figure_names() {
  std::vector<std::string> names;
  for (const auto& [name, figure] : figures()) names.push_back(name);
  return names;
}

FigureConfig load_figure(const std::string& name) {
  const std::map<std::string, std::filesystem::path> files = figure_files();
  if (const auto file = files.find(name); file != files.end()) return read_figure(file->second);
  const std::vector<std::string> names = figure_names();
  std::string hint = did_you_mean(name, {names.begin(), names.end()});
  if (hint.empty()) hint = fmt::format("; there are: {}", fmt::join(names, ", "));
  throw UsageError(fmt::format("no figure is called \"{}\"{}", name, hint));
}

MeasuredFigure measured_figure(const FigureConfig& figure, const std::vector<Summary>& summaries,
                               const std::string& name) {
  MeasuredFigure m{.plot = {.name = name, .title = figure.title, .width = 820},
                   .csv = "experiment,x,seeds,success,low,high,steps\n",
                   .labels = figure.experiments,
                   .solved = std::vector<std::optional<double>>(figure.experiments.size())};
  const auto bound = [](double x) { return std::isnan(x) ? std::string() : fmt::format("{:.4f}", x); };
  double x_max = 1;
  for (std::size_t i = 0; i < figure.experiments.size(); ++i) {
    std::vector<std::pair<double, const Summary*>> points;
    for (const Summary& s : summaries)
      if (s.experiment == figure.experiments[i])
        points.emplace_back(figure.key.empty() ? static_cast<double>(i) : x_of(*s.runs.front(), figure.key), &s);
    std::sort(points.begin(), points.end());
    for (const auto& [x, s] : points) {
      m.labels[i] = s->runs.front()->experiment.label;
      m.csv += fmt::format("{},{},{},{:.4f},{},{},{:.0f}\n", s->experiment, x, s->runs.size(), s->value, bound(s->low),
                           bound(s->high), s->steps);
      m.solved[i] = reaches(s->value, 0.99) ? x : m.solved[i].value_or(0);
      x_max = std::max(x_max, x);
    }
  }
  if (figure.key.empty())
    draw_bars(m.labels, m.plot);
  else
    draw_curves(figure, m.labels, x_max, m.plot);
  return m;
}

std::vector<MeasuredFigure> learning_curves(const FigureConfig& figure, const std::vector<Summary>& summaries,
                                            const std::string& name) {
  const std::vector<Family> families = families_of(summaries);
  if (families.size() != 1)
    throw UsageError(fmt::format("{}: its experiments are measured in {} ways; expected one environment and measure",
                                 figure.title, families.size()));
  Chunk chunk;
  std::vector<const Group*> groups;
  for (const Group& g : families.front().groups) {
    chunk.methods.push_back(g.method);
    groups.push_back(&g);
  }
  std::vector<MeasuredFigure> list;
  for (const std::string& column : figure.measures) {
    const Measure& measure = find_measure(column);
    Figure f = measure_figure(measure, chunk, groups, fmt::format("{}_{}", name, column), figure.title);
    if (f.plot.name.empty()) continue;  // nothing has measured it
    list.push_back({.plot = std::move(f.plot), .csv = std::move(f.csv), .labels = {}, .solved = {}});
  }
  return list;
}

int reproduce(const ReproduceOptions& o) {
  if (o.record) writable_source_directory();
  const FigureConfig figure = load_figure(o.figure);
  const std::filesystem::path out =
      !o.out.empty() ? o.out : std::filesystem::path("runs") / "reproduce" / (o.figure + (o.quick ? "-quick" : ""));
  const int jobs = o.jobs > 0 ? o.jobs : usable_processors();
  check_set(figure, o);
  std::vector<Task> tasks = make_tasks(figure, o, out), missing;
  std::filesystem::create_directories(out);
  const DirectoryLock lock(out);
  for (Task& task : tasks)
    if (!finished_earlier(task)) missing.push_back(task);
  for (const Task& task : missing) {
    std::filesystem::create_directories(task.directory.parent_path());
    write_file_atomically(task.config_file(), task.config);
  }
  fmt::print(stderr, "{}: {} runs, {} of them finished earlier, {} side by side, in {}\n", figure.title, tasks.size(),
             tasks.size() - missing.size(), jobs, out.string());
  const int failed = missing.empty() ? 0 : run_tasks(missing, jobs);
  if (interrupted()) {
    print_error("interrupted; the same command goes on with the runs that are missing");
    return interrupt_status();
  }
  if (failed == static_cast<int>(tasks.size())) return 1;

  std::vector<std::string> unreadable;
  const std::vector<FinishedRun> runs = runs_to_draw(out, figure, tasks, unreadable);
  if (runs.empty()) return 1;
  const std::vector<Summary> summaries = summarise(runs);
  const std::vector<MeasuredFigure> figures = figure.measures.empty()
                                                  ? std::vector{measured_figure(figure, summaries, "figure")}
                                                  : learning_curves(figure, summaries, "figure");
  std::vector<Plot> plots;
  for (const MeasuredFigure& f : figures) {
    write_file_atomically(out / (f.plot.name + ".csv"), f.csv);
    plots.push_back(f.plot);
  }
  const bool drawn = draw(plots, out, "figure");

  fmt::print("{}\n", summary_table(summaries));
  fmt::print("The paper: {}\n", figure.claim);
  for (std::size_t i = 0; i < figure.experiments.size() && !figure.key.empty(); ++i)
    fmt::print("{:<24} largest {} solved (success >= 0.99): {} here{}\n", figures[0].labels[i], figure.key,
               figures[0].solved[i] ? fmt::format("{}", *figures[0].solved[i]) : "not measured",
               i < figure.paper_limit.size() ? fmt::format(", {} in the paper", figure.paper_limit[i]) : "");
  for (const Plot& plot : plots) {
    const std::string file = (out / plot.name).string();
    if (drawn)
      fmt::print("figure: {0}.svg, data: {0}.csv\n", file);
    else
      fmt::print("data: {}.csv (gnuplot could not draw them, see {})\n", file, (out / "figure.log").string());
  }
  if (o.record) {
    record(summaries);
    renew_tables();
    const std::filesystem::path place = results_directory() / "figures";
    std::filesystem::create_directories(place);
    for (const MeasuredFigure& f : figures) {
      const std::string name = o.figure + f.plot.name.substr(std::string_view("figure").size());
      write_file_atomically(place / (name + ".csv"), f.csv);
      if (drawn) write_file_atomically(place / (name + ".svg"), read_file(out / (f.plot.name + ".svg")));
    }
    fmt::print("recorded in {}\n", results_directory().string());
  }
  fmt::print("runs: {0}; next: `goalpost report {0} --out {0}/report` compares them on a page\n", out.string());
  return failed > 0 || !unreadable.empty() ? 1 : 0;
}

}  // namespace goalpost
