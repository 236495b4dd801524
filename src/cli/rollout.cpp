// goalpost rollout: the options of rollout() in run/rollout.h.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "core/check.h"
#include "run/rollout.h"

namespace goalpost {

void add_rollout_command(CLI::App& app, int& status) {
  CLI::App* rollout_command = app.add_subcommand("rollout", "step an environment and write a row per step");
  const auto o = std::make_shared<RolloutOptions>();
  rollout_command->add_option("ENV", o->env,
                              "a name of `goalpost list envs`; with --policy another one than it was trained in, with "
                              "its default settings");
  CLI::Option_group* source = rollout_command->add_option_group("actions", "where actions come from: one of");
  source->add_option("--actions", o->actions,
                     "CSV file, columns a0, a1, ..., one row per step, in the environment's unit");
  source->add_option("--policy", o->policy, "run directory or policy.h5 of a trained policy");
  source->add_flag("--random", o->random, "uniform random actions");
  source->add_flag("--scripted", o->scripted, "the task's hand-written policy");
  source->require_option(1);
  rollout_command->add_option("--episodes", o->episodes, "number of episodes; not with --actions")
      ->transform(integer(1, kMostCount));
  rollout_command->add_option("--seed", o->seed, "random seed of resets and random actions")
      ->transform(integer(0, kMostSeed));
  rollout_command->add_option("--state", o->state,
                              "CSV file: a header and one row, the simulator state to start from (qpos0.., qvel0..)");
  rollout_command->add_flag("--with-state", o->with_state, "also write the simulator state after each step");
  rollout_command->add_flag("--with-actions", o->with_actions, "also write the actions, as --actions reads them");
  rollout_command->add_option("--out", o->out,
                              "CSV file; must be new. If left out, standard output; none with --record");
  rollout_command->add_option("--record", o->record, "record the episodes in this HDF5 file; must be new");
  add_set_option(*rollout_command, o->set, "an environment setting, e.g. env.bits=20");
  rollout_command->callback([o, &status] {
    if (o->env.empty() && o->policy.empty())
      throw UsageError("rollout: which environment? `goalpost list envs` shows them all");
    catch_interrupts();
    rollout(*o, interrupted);
    status = interrupted() ? interrupt_status() : 0;
  });
}

}  // namespace goalpost
