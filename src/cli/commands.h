// The sub-commands of the command line, a function each. It adds one with its options; when the command line names the
// sub-command, parsing runs it, and its exit status goes to `status`.
#pragma once

#include <CLI/CLI.hpp>

namespace goalpost {

void add_list_command(CLI::App& app, int& status);
void add_describe_command(CLI::App& app, int& status);
void add_train_command(CLI::App& app, int& status);
void add_evaluate_command(CLI::App& app, int& status);
void add_reproduce_command(CLI::App& app, int& status);
void add_plan_command(CLI::App& app, int& status);
void add_work_command(CLI::App& app, int& status);
void add_status_command(CLI::App& app, int& status);
void add_collect_command(CLI::App& app, int& status);
void add_report_command(CLI::App& app, int& status);
void add_rollout_command(CLI::App& app, int& status);
void add_render_command(CLI::App& app, int& status);
void add_dataset_command(CLI::App& app, int& status);
void add_policy_command(CLI::App& app, int& status);
void add_benchmark_command(CLI::App& app, int& status);

}  // namespace goalpost
