// Reads and checks every recorded episode, and counts what it finds.
#include "storage/dataset_summary.h"

#include "storage/episode_reader.h"
#include "storage/try_reading.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

}  // namespace

double sum(const std::vector<float>& values) {
  double total = 0;
  for (const float x : values) total += static_cast<double>(x);
  return total;
}

DatasetSummary read_recorded(const fs::path& path) {
  const EpisodeReader reader(path);
  DatasetSummary s{.header = reader.header(),
                   .files = reader.files().size(),
                   .episodes = reader.episodes(),
                   .steps = reader.steps()};
  EpisodeBlock b;
  for (std::uint64_t e = 0; e < reader.episodes(); ++e, b.clear()) {
    reader.read(e, b);
    s.successes += b.success.back();
    s.mean_return += sum(b.reward) / static_cast<double>(reader.episodes());
    ++s.by_purpose[b.purpose[0]];
  }
  for (const fs::path& file : reader.files()) s.bytes += fs::file_size(file);
  return s;
}

DatasetSummary check_dataset(const fs::path& path) {
  try_reading(path, [&] { read_recorded(path); });
  return read_recorded(path);
}

}  // namespace goalpost
