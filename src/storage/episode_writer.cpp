// Attributes and columns of an episode file, as its writer creates and fills them.
#include "storage/episode_writer.h"

#include <algorithm>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/file.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kChunkBytes = std::uint64_t(1) << 17, kStepsAtOnce = 50'000;

Hdf5Shape row_shape(int numbers) { return numbers > 0 ? Hdf5Shape{static_cast<std::uint64_t>(numbers)} : Hdf5Shape{}; }

}  // namespace

EpisodeFileWriter::EpisodeFileWriter(fs::path path, const EpisodeHeader& h, bool compressed)
    : path_(std::move(path)), file_(Hdf5File::create(temporary_name(path_))), header_(h), compressed_(compressed) {
  file_.write_attribute("", "schema", h.has_failed ? kSchema : kSchemaWithoutFailed);
  file_.write_attribute("", "kind", kEpisodeKind);
  file_.write_attribute("", "environment", h.environment);
  file_.write_attribute("", "config", h.config);
  for (const auto& [name, n] :
       {std::pair{"obs_dim", h.obs_dim}, std::pair{"goal_dim", h.goal_dim}, std::pair{"action_dim", h.action_dim},
        std::pair{"choices", h.choices}, std::pair{"max_steps", h.max_steps}})
    file_.write_attribute("", name, static_cast<std::uint64_t>(n));
  file_.write_attribute("", "goal_radius", h.goal_radius);
  file_.write_attribute("", "dt", h.dt);
  file_.write_attribute("", "seed", h.seed);
  if (h.choices == 0) {
    for (const auto& [name, range] :
         {std::pair{"action_low", &h.action_low}, std::pair{"action_high", &h.action_high}}) {
      file_.create_rows<double>(name, {}, range->size(), false);
      file_.append(name, std::span<const double>(*range));
    }
  }
}

// Creates the columns. A chunk is stored whole, so that chunks are not longer than the rows for the first one.
void EpisodeFileWriter::create_columns() {
  const auto create = [&]<class T>(const char* name, int numbers, std::vector<T>& column) {
    const std::uint64_t width = static_cast<std::uint64_t>(std::max(numbers, 1)), rows = column.size() / width;
    if (is_there(name, header_))
      file_.create_rows<T>(
          name, row_shape(numbers),
          std::clamp<std::uint64_t>(kChunkBytes / (width * sizeof(T)), 1, std::max<std::uint64_t>(rows, 1)),
          compressed_);
  };
  for_states(header_, pending_, create);
  for_steps(header_, pending_, create);
  for_episodes(pending_, create);
  created_ = true;
}

EpisodeFileWriter::~EpisodeFileWriter() {
  std::error_code ignored;
  if (!closed_) fs::remove(temporary_name(path_), ignored);
}

void EpisodeFileWriter::append(const EpisodeBlock& block) {
  for (std::uint64_t e = 0; e < block.episodes(); ++e) {
    pending_.append_episode(header_, block, e);
    if (pending_.steps() >= kStepsAtOnce) write_pending();
  }
}

void EpisodeFileWriter::write_pending() {
  if (!created_) create_columns();
  for (std::uint64_t& end : pending_.end) end += steps_;
  steps_ += pending_.steps();
  const auto write = [&]<class T>(const char* name, int, std::vector<T>& column) {
    if (!column.empty() && is_there(name, header_)) file_.append(name, std::span<const T>(column));
  };
  for_states(header_, pending_, write);
  for_steps(header_, pending_, write);
  for_episodes(pending_, write);
  pending_.clear();
}

void EpisodeFileWriter::close() {
  write_pending();
  file_.close();
  replace_by_temporary(path_);
  closed_ = true;
}

}  // namespace goalpost
