#include "cli/profile.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "autodiff/gemm.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "core/check.h"
#include "core/text.h"
#include "report/text_table.h"
#include "run/experiment.h"
#include "run/runner.h"
#include "storage/file.h"
#include "train/callback.h"

namespace goalpost {
namespace {

// The phases, and what is measured of them.
struct Phase {
  const char* name;
  double PhaseSeconds::*seconds;
};
constexpr std::array kPhases = {
    Phase{"environment steps", &PhaseSeconds::environment}, Phase{"acting", &PhaseSeconds::act},
    Phase{"storing and sampling", &PhaseSeconds::sample},   Phase{"updates", &PhaseSeconds::update},
    Phase{"evaluations", &PhaseSeconds::evaluate},          Phase{"checkpoints", &PhaseSeconds::save}};

// Keeps what the loop had counted at the first evaluation that followed an update, and at the last one.
struct Measured {
  std::optional<TrainProgress> begin, end;
  int evaluations = 0;
};

class Watch final : public TrainCallback {
 public:
  Watch(const Experiment& e, Measured& measured)
      : measured_(measured), bar_("profile", e.train.total_steps, "step", {.vanishes = true}) {}
  void on_step(const TrainProgress& p) override { bar_.update(p.step); }
  void on_evaluation(const TrainProgress& p, const Evaluation&, const Metrics&) override {
    if (p.updates == 0) return;
    if (!measured_.begin) {
      measured_.begin = p;
      return;
    }
    measured_.end = p;
    ++measured_.evaluations;
  }

 private:
  Measured& measured_;
  Progress bar_;
};

// A new directory among the system's temporary files, removed at the end.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::error_code error;
    const std::filesystem::path top = std::filesystem::temp_directory_path(error);
    if (error)
      throw UsageError(fmt::format(
          "benchmark --profile: no directory for temporary files: {}; expected TMPDIR to name one", error.message()));
    std::string name = (top / "goalpost-profile.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw UsageError(
          fmt::format("benchmark --profile: cannot create {}: {}", name, std::generic_category().message(errno)));
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void print(const Experiment& e, const TrainProgress& begin, const TrainProgress& end) {
  const double seconds = end.wall_seconds - begin.wall_seconds;
  const auto steps = static_cast<double>(end.step - begin.step);
  print_line(fmt::format(
      "{}: steps {} to {}, {} updates, {:.1f} s: {:.0f} steps per second; {} {}, {} kernels, {}", e.name,
      format_thousands(static_cast<double>(begin.step)), format_thousands(static_cast<double>(end.step)),
      format_thousands(static_cast<double>(end.updates - begin.updates)), seconds, steps / seconds, e.train.threads,
      e.train.threads == 1 ? "thread" : "threads", gemm_kernels(), enum_name(e.train.precision)));
  std::vector<std::vector<std::string>> rows = {{"phase", "seconds", "share", "ms per step"}};
  const auto add = [&](const char* name, double s) {
    rows.push_back({name, fmt::format("{:.2f}", s), fmt::format("{:.1f} %", 100 * s / seconds),
                    fmt::format("{:.3f}", 1e3 * s / steps)});
  };
  double rest = seconds;
  for (const Phase& phase : kPhases) {
    const double s = end.phases.*phase.seconds - begin.phases.*phase.seconds;
    add(phase.name, s);
    rest -= s;
  }
  if (e.train.overlap)
    print_line("with train.overlap, environment steps include the updates beside them");
  else
    add("rest", rest);
  fmt::print("{}", text_table(rows, 1, output_width()));
}

}  // namespace

int profile(const std::string& experiment, const std::vector<std::string>& set, int evaluations) {
  TomlValues values = load_experiment(experiment);
  set_all(values, set);
  Experiment e = make_experiment(values);
  if (e.train.workers > 1)
    throw UsageError(fmt::format("benchmark --profile: train.workers = {}; expected 1", e.train.workers));
  e.train.final_eval_episodes = 1;
  const ScratchDirectory scratch;
  Measured measured;
  const RunOptions options = {
      .stop = [&] { return interrupted() || measured.evaluations >= evaluations; },
      .progress = [&](const Experiment& of, const TrainProgress&) { return std::make_unique<Watch>(of, measured); }};
  train_in_directory(e, scratch.path() / "run", options);
  if (!measured.end) {
    if (interrupted()) {
      print_error("interrupted before the second evaluation that follows an update: nothing was measured");
      return interrupt_status();
    }
    throw UsageError(fmt::format(
        "benchmark --profile: {} ended before the second evaluation that follows an update; expected a larger "
        "train.total_steps, or a smaller train.eval_every than {}",
        e.name, e.train.eval_every));
  }
  print(e, *measured.begin, *measured.end);
  return 0;
}

}  // namespace goalpost
