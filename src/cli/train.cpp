// goalpost train: trains one run of an experiment, or goes on with an unfinished one, and tells how it ended.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/train_progress.h"
#include "core/text.h"
#include "run/experiment.h"
#include "run/resume.h"
#include "run/run_result.h"
#include "run/runner.h"
#include "storage/run_directory.h"
#include "storage/toml.h"
#include "train/callback.h"
#include "train/state.h"

namespace goalpost {
namespace {

void print_result(const RunResult& r, const std::filesystem::path& directory) {
  const std::string where = directory.string();
  fmt::print(
      "success {:.3f}, at any step {:.3f}, return {:.2f}, length {:.1f} over {} episodes, after {} steps and {} "
      "updates ({}); saved in {}\nnext: `goalpost evaluate {}`, or `goalpost report {} --out DIR` for a page\n",
      r.final.success, r.final.success_any, r.final.reward, r.final.length, r.final.episodes, r.progress.step,
      r.progress.updates, r.end == "success" ? "stopped at train.stop_success" : "all steps done", where, where, where);
}

int tell(const std::optional<RunResult>& r, const std::filesystem::path& directory, bool quiet) {
  if (!r) {
    if (!std::filesystem::exists(directory / kConfigFile))
      print_error("interrupted before the first step: nothing was written, and the same command begins anew");
    else if (can_be_resumed(directory))
      print_error(fmt::format("interrupted; what was saved until now is in {0}; `goalpost train --resume {0}` goes on",
                              directory.string()));
    else
      fmt::print(stderr,
                 "interrupted; its curves and its policy as of now are in {0}. It cannot go on: it was trained without "
                 "checkpoints (train.checkpoint_every = 0)\n",
                 directory.string());
    return interrupt_status();
  }
  try {
    if (!quiet) print_result(*r, directory);
    flush_output();
  } catch (const std::system_error& e) {
    // Who reads the summary may have gone; the run is whole.
    if (e.code() != std::errc::broken_pipe && e.code() != std::errc::bad_file_descriptor) throw;
    print_error(fmt::format("goalpost: nobody reads the summary ({}); the run is in {}", e.code().message(),
                            directory.string()));
    drop_output();
  }
  return 0;
}

RunOptions run_options(bool quiet) {
  RunOptions options{.stop = interrupted};
  if (!quiet)
    options.progress = [](const Experiment& e, const TrainProgress& begin) -> std::unique_ptr<TrainCallback> {
      return std::make_unique<TrainProgressBar>(e, begin);
    };
  return options;
}

int train(const std::string& name, std::vector<std::string> set, const std::string& out, bool quiet) {
  TomlValues values = load_experiment(name);
  for (const std::string& s : set) values.set(s);
  Experiment e = make_experiment(values);
  const std::filesystem::path directory = out.empty() ? default_directory(e) : std::filesystem::path(out);
  return tell(train_in_directory(e, directory, run_options(quiet)), directory, quiet);
}

int resume(const std::filesystem::path& directory, const std::vector<std::string>& set, bool any_build, bool quiet) {
  return tell(resume_in_directory(directory, set, any_build, run_options(quiet)), directory, quiet);
}

struct TrainOptions {
  std::string name, seed, steps, threads, film_every, out, resumed;
  std::vector<std::string> set;
  bool any_build = false, quiet = false;
};

}  // namespace

void add_train_command(CLI::App& app, int& status) {
  CLI::App* train_command = app.add_subcommand("train", "train one run of an experiment");
  const auto o = std::make_shared<TrainOptions>();
  CLI::Option_group* which = train_command->add_option_group("run", "a new run or an unfinished one");
  which->add_option("experiment", o->name, "a name of `goalpost list experiments`, or a TOML file");
  CLI::Option* resume_option =
      which->add_option("--resume", o->resumed, "run directory: go on from its checkpoint, to the same bits");
  which->require_option(1);
  train_command->add_flag("--any-build", o->any_build, "resume with another revision, compiler or processor too")
      ->needs(resume_option);
  train_command->add_option("--seed", o->seed, "of all random numbers; short for --set seed=S");
  train_command->add_option("--steps", o->steps, "transitions; short for --set train.total_steps=N");
  train_command->add_option("--threads", o->threads, "for environments and updates; short for --set train.threads=T");
  train_command->add_option("--film-every", o->film_every,
                            "transitions between two films of an episode; short for --set train.film_every=N");
  train_command->add_option("--out", o->out, "run directory; must be new. Default: runs/<experiment>/seed_<seed>")
      ->excludes(resume_option);
  train_command->add_option("--set", o->set, "put key=value over the file, e.g. env.bits=40")->allow_extra_args(false);
  train_command->add_flag("--quiet", o->quiet, "no progress");
  train_command->callback([o, &status] {
    catch_interrupts();
    outlive_readers();
    if (!o->seed.empty()) o->set.push_back("seed=" + o->seed);
    if (!o->steps.empty()) o->set.push_back("train.total_steps=" + o->steps);
    if (!o->threads.empty()) o->set.push_back("train.threads=" + o->threads);
    if (!o->film_every.empty()) o->set.push_back("train.film_every=" + o->film_every);
    status = o->resumed.empty() ? train(o->name, o->set, o->out, o->quiet)
                                : resume(o->resumed, o->set, o->any_build, o->quiet);
  });
}

}  // namespace goalpost
