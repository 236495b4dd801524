// The tables and notes of a report's page, as HTML.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/baseline.h"
#include "report/group.h"
#include "report/method_runs.h"

namespace goalpost {

/// A text for HTML: the characters & < > " become entities.
std::string escaped(std::string_view text);

/// The final evaluations, a row for each method and task. Where settings were run with several seeds, either those or
/// the ones of a single seed. Empty if there is none.
std::string final_table(const EnvGroup& env_group, bool single_seeds);
/// The final evaluation of every seed.
std::string seeds_table(const EnvGroup& env_group);
/// Success by category of episode (EnvSpec::categories); nothing if no environment tells categories apart.
std::string categories_table(const EnvGroup& env_group);
/// Success rates of several tasks are on one scale and can be pooled; returns are not.
std::string pooled_table(const EnvGroup& env_group, const Panel& panel);
/// What the sources of the experiments claim, and what is expected here. Empty if no experiment names a source.
std::string sources_table(const EnvGroup& env_group);
/// The settings in which the experiments differ. Empty if there is only one, or none differs.
std::string settings_table(const EnvGroup& env_group);
/// Steps to the threshold and area under the learning curve, a row for each method and task.
/// @throws UsageError if the evaluations of a run cannot be read
std::string speed_table(const EnvGroup& env_group, std::optional<double> threshold);
/// The comparisons with a baseline.
std::string improvements_table(const std::vector<BaselineComparison>& comparisons);
/// The runs that have no result yet. Empty if there is none.
std::string unfinished_table(const std::vector<Summary>& summaries);
/// Revisions and processors that the runs were made with.
std::string builds_table(const std::vector<Summary>& summaries);
/// What a reader must know about seeds that ended early or were evaluated at other steps.
std::string carried_note(const std::vector<const MethodRuns*>& method_runs);

}  // namespace goalpost
