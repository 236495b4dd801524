// goalpost benchmark --profile: where the time of an experiment's training goes.
#pragma once

#include <string>
#include <vector>

namespace goalpost {

/// Trains in a temporary directory until enough is measured, prints the share of every phase, and removes the
/// directory. Measured is the time from one evaluation to the next, the first after learning began, so that everything
/// has the weight that it has in the run.
/// @param set assignments to settings @param evaluations how many of these spans
/// @returns the exit status
int profile(const std::string& experiment, const std::vector<std::string>& set, int evaluations);

}  // namespace goalpost
