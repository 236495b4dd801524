// The result of a run, and its JSON: result.json of a run directory, and a seed of a recorded summary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "train/evaluation.h"
#include "train/state.h"

namespace goalpost {

struct RunResult {
  std::string experiment;
  std::int64_t seed = 0;
  std::string revision, cpu, identity;  ///< identity is empty in results of earlier versions
  std::string end;                      ///< "budget" (all steps done) or "success" (stopped early)
  TrainProgress progress;
  Evaluation final;  ///< after training, on fresh episodes
};

/// The contents of result.json.
nlohmann::ordered_json to_json(const RunResult& result);

/// The result of a finished run; nothing if the run has not finished.
/// @throws std::runtime_error if it cannot be read, UsageError if it is a pipe or a device
std::optional<RunResult> read_result(const std::filesystem::path& directory);

/// {"goal_3_3": {"episodes": 100, "success": 1.0}, ...}
nlohmann::ordered_json to_json(const std::vector<Evaluation::Category>& kinds);
/// What an evaluation holds as "kinds"; none if it was written before there were any.
/// @throws nlohmann::json::exception for what to_json does not write
std::vector<Evaluation::Category> categories_of(const nlohmann::ordered_json& evaluation);

}  // namespace goalpost
