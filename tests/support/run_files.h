// Run directories as `goalpost train` leaves them, without the training.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "storage/toml.h"
#include "support/temporary_directory.h"

namespace goalpost {

// A finished run.
inline void make_run(const std::filesystem::path& directory, const std::vector<std::string>& set, int seed,
                     double success, const std::string& revision = "abc",
                     const std::string& experiment = "bit_flip_her") {
  TomlValues values = load_experiment(experiment);
  for (const std::string& s : set) values.set(s);
  values.set("seed=" + std::to_string(seed));
  Experiment e = make_experiment(values);
  std::filesystem::create_directories(directory);
  set_content(directory / "config.toml", e.to_toml());
  set_content(directory / "eval.csv", "step,wall_seconds,success,success_any,return\n0,0.1,0,0,-40\n");
  const nlohmann::json final = {
      {"episodes", 1000}, {"success", success}, {"success_any", 1}, {"return", -3}, {"length", 4}};
  const nlohmann::json result = {{"experiment", "bit_flip_her"},
                                 {"seed", seed},
                                 {"end", "success"},
                                 {"steps", 1000},
                                 {"episodes", 50},
                                 {"updates", 40},
                                 {"wall_seconds", 1.5},
                                 {"final", final},
                                 {"revision", revision},
                                 {"cpu", "x"}};
  set_content(directory / "result.json", result.dump());
}

// Puts a run's evaluations in the place of the one that make_run has written.
inline void set_curve(const std::filesystem::path& directory, const std::vector<std::array<double, 3>>& rows) {
  std::string text = "step,wall_seconds,success,success_any,return\n";
  for (const auto& [step, seconds, success] : rows)
    text += std::to_string(static_cast<int>(step)) + "," + std::to_string(seconds) + "," + std::to_string(success) +
            ",1,-3\n";
  set_content(directory / "eval.csv", text);
}

}  // namespace goalpost
