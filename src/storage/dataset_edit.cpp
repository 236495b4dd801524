// Filters, merges and repairs recorded episodes.
#include "storage/dataset_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>

#include "storage/dataset_summary.h"
#include "storage/dataset_task.h"
#include "storage/episode_reader.h"
#include "storage/episode_writer.h"
#include "storage/file.h"
#include "storage/file_error.h"
#include "storage/try_reading.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

// Calls f with the header and no episode, then with each episode of the longest valid prefix; returns a sentence on
// what follows it. Exceptions of f pass through.
std::string each_whole_episode(const fs::path& path,
                               const std::function<void(const EpisodeHeader&, const EpisodeBlock&)>& f) {
  std::vector<fs::path> files;
  const fs::path parts = fs::is_directory(path) && fs::is_directory(episode_parts(path)) ? episode_parts(path) : path;
  if (!fs::is_directory(parts)) {
    files = {parts};
  } else if (fs::is_regular_file(episode_file(parts))) {
    files = {episode_file(parts)};
  } else {
    for (const auto& entry : fs::directory_iterator(parts))
      if (entry.path().extension() == ".h5") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  }
  if (files.empty()) wrong(path, "there are no episodes; expected episodes.h5, or sealed parts 000000.h5, ...");
  EpisodeHeader header;
  EpisodeBlock b;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto left_out = [&](const std::string& what) {
      return fmt::format("left out: {}{}", what,
                         i + 1 < files.size() ? fmt::format("; and the {} parts after it", files.size() - i - 1) : "");
    };
    std::optional<EpisodeReader> reader;
    try {
      reader.emplace(files[i]);
    } catch (const std::runtime_error& error) {
      if (i == 0) throw;
      return left_out(error.what());
    }
    if (i == 0) header = reader->header();
    if (!reader->header().same_spaces(header))
      return left_out(fmt::format("{} is of {} with other spaces", files[i].string(), reader->header().environment));
    f(header, {});
    for (std::uint64_t e = 0; e < reader->episodes(); ++e) {
      b.clear();
      try {
        reader->read(e, b);
      } catch (const std::runtime_error& error) {
        return left_out(
            fmt::format("episodes {} to {} of {}: {}", e, reader->episodes() - 1, files[i].string(), error.what()));
      }
      f(header, b);
    }
  }
  return "";
}

}  // namespace

std::string filter_dataset(const fs::path& path, const EpisodeFilter& filter, const fs::path& out, bool compressed) {
  expect_new(out);
  const DatasetSummary all = check_dataset(path);
  const EpisodeReader reader(path);
  EpisodeFileWriter writer(out, reader.header(), compressed);
  std::uint64_t kept = 0;
  EpisodeBlock b;
  for (std::uint64_t e = 0; e < reader.episodes() && (filter.first == 0 || kept < filter.first); ++e) {
    b.clear();
    reader.read(e, b);
    const double total = sum(b.reward);
    const bool fits =
        (!filter.success || b.success.back() != 0) && (!filter.failed || b.failed.back() != 0) &&
        (!filter.purpose || b.purpose[0] == static_cast<std::uint8_t>(*filter.purpose)) &&
        (!filter.min_return || total >= *filter.min_return) && (!filter.max_return || total <= *filter.max_return) &&
        (!filter.steps || (b.run_step[0] >= filter.steps->first && b.run_step[0] <= filter.steps->second));
    if (!fits) continue;
    writer.append(b);
    ++kept;
  }
  if (kept == 0)
    wrong(path, fmt::format("none of {} episodes is left; expected a filter that keeps at least one", all.episodes));
  writer.close();
  return fmt::format("{} of {} episodes are in {}", kept, all.episodes, out.string());
}

std::string merge_datasets(const std::vector<fs::path>& paths, const fs::path& out, bool compressed) {
  expect_new(out);
  EpisodeHeader header;
  bool any_failed = false;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    check_dataset(paths[i]);
    const EpisodeReader reader(paths[i]);
    const EpisodeHeader& h = reader.header();
    if (i == 0) header = h;
    const std::string first = paths[0].string();
    if (!h.same_spaces(header) || h.action_low != header.action_low || h.action_high != header.action_high ||
        h.goal_radius != header.goal_radius || h.dt != header.dt)
      wrong(paths[i], fmt::format("the episodes are of {} with the goal radius {}, those of {} of {} with {}; expected "
                                  "the same environment and spaces",
                                  h.environment, static_cast<float>(h.goal_radius), first, header.environment,
                                  static_cast<float>(header.goal_radius)));  // as it is configured
    if (const auto found = setting_differences(paths[i], h.environment, h.config, header.config); !found.empty())
      wrong(paths[i],
            fmt::format("the episodes are of another task than those of {}: {}", first, fmt::join(found, "; ")));
    header.max_steps = std::max(header.max_steps, h.max_steps);
    header.has_failed = header.has_failed && h.has_failed;
    EpisodeBlock b;
    for (std::uint64_t e = 0; e < reader.episodes() && !any_failed; ++e, b.clear()) {
      reader.read(e, b);
      any_failed = b.failed.back() != 0;
    }
  }
  if (any_failed && !header.has_failed)
    wrong(out,
          "some of the files say which episodes failed, and others were written before that was kept; expected "
          "all to say so, or none");
  EpisodeFileWriter writer(out, header, compressed);
  std::uint64_t episodes = 0;
  EpisodeBlock b;
  for (const fs::path& path : paths) {
    const EpisodeReader reader(path);
    for (std::uint64_t e = 0; e < reader.episodes(); ++e, ++episodes) {
      b.clear();
      reader.read(e, b);
      writer.append(b);
    }
  }
  writer.close();
  return fmt::format("{} episodes of {} files are in {}", episodes, paths.size(), out.string());
}

std::string repair_dataset(const fs::path& path, const fs::path& out, bool compressed) {
  expect_new(out);
  try_reading(path, [&] { each_whole_episode(path, [](const EpisodeHeader&, const EpisodeBlock&) {}); });
  std::uint64_t kept = 0;
  std::unique_ptr<EpisodeFileWriter> writer;
  const std::string dropped = each_whole_episode(path, [&](const EpisodeHeader& header, const EpisodeBlock& b) {
    if (!writer) writer = std::make_unique<EpisodeFileWriter>(out, header, compressed);
    writer->append(b);
    kept += b.episodes();
  });
  writer->close();
  return dropped.empty() ? "" : fmt::format("{} episodes are in {}; {}", kept, out.string(), dropped);
}

}  // namespace goalpost
