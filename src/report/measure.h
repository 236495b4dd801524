// What learning curves show.
#pragma once

#include <array>
#include <string>

namespace goalpost {

/// What a learning curve can show: a column of eval.csv and of recorded curves, or of train.csv, which has the means
/// over the training episodes since the evaluation before.
struct Measure {
  const char *column, *label;
  bool rate;             ///< between 0 and 1
  const char* training;  ///< its name in train.csv; null: of the evaluations
};
inline constexpr std::array kMeasures = {
    Measure{"success", "success rate", true, nullptr},
    Measure{"return", "mean return", false, nullptr},
    Measure{"train_success", "success rate in training", true, "success"},
    Measure{"train_return", "mean return in training", false, "return"},
    Measure{"lo_reward", "intrinsic reward per step in training", false, "lo_reward"},
    Measure{"her_reached", "relabeled transitions that reach their goal", true, "her_reached"},
    Measure{"her_moved", "episodes that moved the object", true, "her_moved"}};
/// @throws UsageError naming all measures if there is none with this column
const Measure& find_measure(const std::string& column);

}  // namespace goalpost
