#include "storage/run_log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "core/check.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_create(const fs::path& directory, const std::string& reason) {
  throw UsageError(fmt::format("cannot create run directory {}: {}", directory.string(), reason));
}

[[noreturn]] void already_used(const fs::path& directory, const std::string& entry) {
  throw UsageError(fmt::format("run directory {} is already used (it holds {}); choose another with --out or remove it",
                               directory.string(), entry));
}

void check_empty(const fs::path& directory) {
  if (fs::exists(directory / kConfigFile)) already_used(directory, kConfigFile);
  std::error_code error;
  const fs::directory_iterator first(directory, error);
  if (error) cannot_create(directory, error.message());
  if (first != fs::directory_iterator()) already_used(directory, first->path().filename().string());
}

// Records what a constructor has created, and removes it again unless it is kept.
class Creation {
 public:
  explicit Creation(const fs::path& directory) {
    std::vector<fs::path> missing;
    std::error_code error;
    for (fs::path p = directory; !p.empty() && !fs::exists(p, error); p = p.parent_path()) {
      if (error) cannot_create(directory, error.message());
      missing.push_back(p);
    }
    for (auto p = missing.rbegin(); p != missing.rend(); ++p) {
      if (::mkdir(p->c_str(), 0777) == 0) {
        made_.push_back(*p);
      } else if (errno != EEXIST) {
        const int reason = errno;
        undo();
        cannot_create(directory, std::strerror(reason));
      }
    }
  }
  ~Creation() {
    if (!kept_) undo();
  }
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;

  void add(const fs::path& file) { made_.push_back(file); }
  void sync() const {
    for (const fs::path& p : made_) sync_directory(p.parent_path());
  }
  void keep() { kept_ = true; }

 private:
  void undo() {  // a directory that someone else has used meanwhile is not empty, and stays
    std::error_code ignored;
    for (auto p = made_.rbegin(); p != made_.rend(); ++p) fs::remove(*p, ignored);
  }
  std::vector<fs::path> made_;
  bool kept_ = false;
};

EventFile create_run(const fs::path& directory, std::string_view config_toml) {
  RunLog::check_unused(directory);
  Creation creation(directory);
  check_empty(directory);
  const fs::path config = directory / kConfigFile;
  // The file decides between two runs that start at the same time: only one of them can create it.
  OutputFile file = [&] {
    try {
      return OutputFile(config, OutputFile::Mode::create);
    } catch (const std::system_error& error) {
      if (error.code() == std::errc::file_exists) already_used(directory, kConfigFile);
      cannot_create(directory, error.code().message());
    }
  }();
  creation.add(config);
  file.write(config_toml);
  EventFile events(directory);
  file.sync();
  creation.sync();
  creation.keep();
  return events;
}

EventFile resume_run(const fs::path& directory, std::int64_t step) {
  if (!fs::exists(directory / kConfigFile))
    throw UsageError(fmt::format("cannot resume in {}: it holds no config.toml; expected the directory of a run",
                                 directory.string()));
  for (const char* table : {kTrainCurve, kEvalCurve}) cut_csv(directory / table, "step", static_cast<double>(step));
  EventFile events(directory);
  events.add_session_start(step + 1);
  return events;
}

// fs::path("runs/a/").parent_path() is "runs/a": without the last slash every parent is one level up.
fs::path without_slash(const fs::path& directory) {
  return directory.has_filename() ? directory : directory.parent_path();
}

}  // namespace

RunLog::RunLog(const fs::path& directory, std::string_view config_toml)
    : RunLog(directory, create_run(without_slash(directory), config_toml)) {}

RunLog::RunLog(const fs::path& directory, EventFile events) : directory_(directory), events_(std::move(events)) {}

RunLog RunLog::resume(const fs::path& directory, std::int64_t step) {
  return RunLog(directory, resume_run(directory, step));
}

void RunLog::check_unused(const fs::path& directory) {
  if (directory.empty()) throw UsageError("cannot create run directory \"\": the name is empty");
  std::error_code error;
  if (fs::exists(directory, error)) {
    check_empty(directory);
    if (::access(directory.c_str(), W_OK | X_OK) != 0) cannot_create(directory, std::strerror(errno));
    return;
  }
  if (error) cannot_create(directory, error.message());
  fs::path parent = without_slash(directory).parent_path();
  while (!parent.empty() && !fs::exists(parent)) parent = parent.parent_path();
  if (parent.empty()) parent = ".";
  if (!fs::is_directory(parent)) cannot_create(directory, parent.string() + " is not a directory");
  if (::access(parent.c_str(), W_OK | X_OK) != 0) cannot_create(directory, std::strerror(errno));
}

void RunLog::sync() {
  for (auto& [stream, table] : tables_) table.sync();
  events_.sync();
  sync_directory(directory_);
}

std::uint64_t RunLog::rows(const fs::path& directory, std::string_view stream, std::int64_t last_step) {
  const fs::path file = directory / fmt::format("{}.csv", stream);
  if (!fs::exists(file)) return 0;
  const CsvTable table = read_csv(file);
  if (table.rows() == 0) return 0;
  const std::vector<double>& steps = table.column("step");
  return static_cast<std::uint64_t>(
      std::count_if(steps.begin(), steps.end(), [&](double step) { return step <= static_cast<double>(last_step); }));
}

void RunLog::write(std::string_view stream, std::int64_t step, std::span<const Column> columns) {
  GP_CHECK(stream == "train" || stream == "eval", "RunLog::write: stream = \"", stream,
           "\"; expected \"train\" or \"eval\"");
  std::vector<CsvLog::Column> row{{"step", static_cast<double>(step)}};
  std::vector<EventFile::ScalarValue> scalars;
  for (const Column& c : columns) {
    row.push_back({c.name, c.value});
    if (!c.tag.empty()) scalars.push_back({c.tag, c.value});
  }
  auto table = tables_.find(stream);
  if (table == tables_.end())
    table = tables_.emplace(std::string(stream), CsvLog(directory_ / fmt::format("{}.csv", stream))).first;
  table->second.append(row);
  if (!scalars.empty()) events_.add_scalars(step, scalars);
}

}  // namespace goalpost
