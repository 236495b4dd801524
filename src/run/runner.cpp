#include "run/runner.h"

#include <fmt/format.h>

#include <string>

#include "run/curve_recorder.h"
#include "run/run_parts.h"
#include "storage/file.h"
#include "storage/run_log.h"

namespace goalpost {

std::filesystem::path default_directory(const Experiment& e) {
  return std::filesystem::path("runs") / e.name / fmt::format("seed_{}", e.seed);
}

std::optional<RunResult> train_in_directory(Experiment& e, const std::filesystem::path& directory,
                                            const RunOptions& options) {
  RunLog::check_unused(directory);
  check_before_training(e, false);
  RunParts parts(e, options);
  if (!begin_agent(parts)) return std::nullopt;
  const std::string config = e.to_toml();
  RunLog log(directory, config);
  const DirectoryLock lock(directory);
  log.note("config", "```toml\n" + config + "```");
  log_hparams(e, log);
  parts.record_in(directory);
  return train_to_the_end(parts, log);
}

}  // namespace goalpost
