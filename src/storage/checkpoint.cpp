#include "storage/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "storage/file.h"
#include "storage/hdf5_file.h"
#include "storage/run_directory.h"
#include "storage/try_reading.h"

namespace goalpost {
namespace {

constexpr std::uint64_t kSchema = 1;
constexpr char kChecksum[] = "checksum";  // the state's hash; files of earlier revisions have none

bool contiguous(const MatrixRef& m) { return m.outerStride() == m.rows() || m.cols() <= 1; }
Hdf5Shape shape(const MatrixRef& m) {
  return {static_cast<std::uint64_t>(m.cols()), static_cast<std::uint64_t>(m.rows())};
}
std::size_t size(const MatrixRef& m) { return static_cast<std::size_t>(m.size()); }

class Saver final : public PathVisitor {
 public:
  explicit Saver(Hdf5File& file) : file_(file) {}

  void visit(std::string_view name, MatrixRef values) override {
    if (!contiguous(values)) {
      Matrix copy = values;
      return visit(name, copy);
    }
    file_.write(path(name), shape(values), std::span<const Scalar>(values.data(), size(values)));
    file_.write_attribute(path(name), "layout", "row j of the dataset is column j of the matrix");
  }
  void visit(std::string_view name, std::span<double> values) override {
    file_.write(path(name), {values.size()}, std::span<const double>(values));
  }
  void visit(std::string_view name, std::span<std::uint64_t> values) override {
    file_.write(path(name), {values.size()}, std::span<const std::uint64_t>(values));
  }

 private:
  Hdf5File& file_;
};

class Loader final : public PathVisitor {
 public:
  explicit Loader(const Hdf5File& file) : file_(file) {}

  void visit(std::string_view name, MatrixRef values) override {
    if (!contiguous(values)) {
      Matrix copy(values.rows(), values.cols());
      visit(name, copy);
      values = copy;
      return;
    }
    read(note(name), shape(values), std::span<Scalar>(values.data(), size(values)));
  }
  void visit(std::string_view name, std::span<double> values) override { read(note(name), {values.size()}, values); }
  void visit(std::string_view name, std::span<std::uint64_t> values) override {
    file_.read(note(name), {values.size()}, values);
  }

  std::uint64_t count(std::string_view name, std::uint64_t) override {
    const std::vector<std::string> names = file_.datasets();
    const std::string full = path(name);
    if (std::find(names.begin(), names.end(), full) == names.end()) return 0;
    std::uint64_t numbers = 1;
    for (const std::uint64_t extent : file_.shape(full)) numbers *= extent;
    return numbers;
  }

  const std::set<std::string>& visited() const { return visited_; }

 private:
  std::string note(std::string_view name) { return *visited_.insert(path(name)).first; }
  // A state has no NaN: training stops before. Some bounds are infinite.
  template <class T>
  void read(const std::string& name, const Hdf5Shape& shape, std::span<T> values) {
    file_.read(name, shape, values);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (std::isnan(values[i]))
        throw std::runtime_error(
            fmt::format("{}: {}: number {} is NaN; expected none", file_.path().string(), name, i));
  }

  const Hdf5File& file_;
  std::set<std::string> visited_;
};

void check_hash(const Hdf5File& file, std::uint64_t hash) {
  if (file.has_attribute("", kChecksum) && file.read_number("", kChecksum) != hash)
    throw std::runtime_error(
        fmt::format("{}: the numbers are not those that were saved: the file is damaged, or was changed and still has "
                    "its attribute {}",
                    file.path().string(), kChecksum));
}

void check_schema(const Hdf5File& file) {
  if (const std::uint64_t schema = file.read_number("", "schema"); schema != kSchema)
    throw std::runtime_error(
        fmt::format("{}: schema = {}; expected {}: the file was written by another version of goalpost",
                    file.path().string(), schema, kSchema));
}

Hdf5File open_state(const std::filesystem::path& path, const std::string& kind) {
  Hdf5File file = Hdf5File::open(path);
  const std::string found = file.has_attribute("", "kind") ? file.read_text("", "kind") : "";
  if (found.empty() || found == kind) check_schema(file);  // other kinds have other schemas
  if (found != kind)
    throw std::runtime_error(fmt::format("{}: kind = \"{}\"; expected \"{}\"", path.string(), found, kind));
  return file;
}

// Reads a whole state of any kind; returns its hash.
std::uint64_t read_state(const std::filesystem::path& path, StateSummary& s) {
  const Hdf5File file = Hdf5File::open(path);
  check_schema(file);
  s = {.kind = file.read_text("", "kind")};
  Loader loader(file);
  StateHasher hasher;
  const auto read = [&](auto values, const std::string& name) {
    loader.visit(name, values);
    hasher.visit(name, values);
  };
  for (const std::string& name : file.datasets()) {
    const Hdf5Shape shape = file.shape(name);
    if (shape.size() == 2) {
      Matrix matrix(static_cast<Index>(shape[1]), static_cast<Index>(shape[0]));
      read(MatrixRef(matrix), name);
    } else if (shape.size() == 1 && file.is_real(name)) {
      std::vector<double> numbers(shape[0]);
      read(std::span(numbers), name);
    } else if (shape.size() == 1) {
      std::vector<std::uint64_t> counters(shape[0]);
      read(std::span(counters), name);
    } else {
      throw std::runtime_error(fmt::format("{}: {}: the shape is [{}]; expected one or two extents", path.string(),
                                           name, fmt::join(shape, " x ")));
    }
    ++s.datasets;
  }
  s.bytes = std::filesystem::file_size(path);
  return hasher.hash();
}

// The number in checkpoint_<step>.h5; nothing for other files.
std::optional<std::int64_t> step_of(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  constexpr std::string_view kPrefix = kOlderCheckpoint, kSuffix = ".h5";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  std::int64_t step = 0;
  const char* const end = name.data() + name.size() - kSuffix.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || stop != end) return {};
  return step;
}

}  // namespace

void save_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit,
                const std::string& config, const std::map<std::string, std::string>& texts) {
  const std::filesystem::path temporary = temporary_name(path);
  try {
    Hdf5File file = Hdf5File::create(temporary);
    file.write_attribute("", "schema", kSchema);
    file.write_attribute("", "kind", kind);
    file.write_attribute("", "config", config);
    for (const auto& [name, text] : texts) file.write_attribute("", name.c_str(), text);
    Saver saver(file);
    visit(saver);
    file.write_attribute("", kChecksum, state_hash(visit));
    file.close();
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  replace_by_temporary(path);
}

std::string read_state_config(const std::filesystem::path& path, const std::string& kind) {
  return read_state_text(path, kind, "config");
}

std::string read_state_text(const std::filesystem::path& path, const std::string& kind, const char* name) {
  try_reading(path, [&] { open_state(path, kind).read_text("", name); });
  return open_state(path, kind).read_text("", name);
}

std::vector<std::uint64_t> read_state_counters(const std::filesystem::path& path, const std::string& kind,
                                               const std::vector<std::string>& names) {
  std::vector<std::uint64_t> values(names.size());
  const auto read = [&] {
    const Hdf5File file = open_state(path, kind);
    for (std::size_t i = 0; i < names.size(); ++i) file.read(names[i], {1}, std::span(&values[i], 1));
  };
  try_reading(path, read);
  read();
  return values;
}

std::uint64_t read_state_hash(const std::filesystem::path& path, const std::string& kind) {
  try_reading(path, [&] { open_state(path, kind).read_number("", kChecksum); });
  return open_state(path, kind).read_number("", kChecksum);
}

void load_part_of_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit) {
  try_reading(path, [&] {
    StateSummary any;
    open_state(path, kind);
    check_hash(Hdf5File::open(path), read_state(path, any));
  });
  const Hdf5File file = open_state(path, kind);
  Loader loader(file);
  visit(loader);
}

void load_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit) {
  try_reading(path, [&] {
    StateSummary any;
    open_state(path, kind);
    read_state(path, any);
  });
  const Hdf5File file = open_state(path, kind);
  Loader loader(file);
  visit(loader);
  for (const std::string& name : file.datasets())
    if (!loader.visited().contains(name))
      throw std::runtime_error(
          fmt::format("{}: {}: the file holds this, but the state to be read has nothing of this "
                      "name; expected the same configuration as when it was saved",
                      path.string(), name));
  check_hash(file, state_hash(visit));
}

StateSummary check_state(const std::filesystem::path& path) {
  StateSummary s;
  try_reading(path, [&] { read_state(path, s); });
  const std::uint64_t hash = read_state(path, s);
  check_hash(Hdf5File::open(path), hash);
  return s;
}

std::filesystem::path CheckpointSeries::newest(const std::filesystem::path& directory) {
  return directory / kCheckpointFile;
}

std::vector<std::filesystem::path> CheckpointSeries::older(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (step_of(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return step_of(a) < step_of(b); });
  return files;
}

void CheckpointSeries::remove_older(const std::filesystem::path& directory) {
  for (const std::filesystem::path& file : older(directory)) std::filesystem::remove(file);
}

void CheckpointSeries::go_back_to(const std::filesystem::path& directory, const std::filesystem::path& file) {
  const std::int64_t step = step_of(file).value();
  std::filesystem::rename(file, newest(directory));
  for (const std::filesystem::path& other : older(directory))
    if (step_of(other) > step) std::filesystem::remove(other);
  sync_directory(directory);
}

void CheckpointSeries::save(std::int64_t step, const std::string& kind, const StateTraversal& visit,
                            const std::string& config) {
  const std::filesystem::path newest_file = newest(directory_);
  if (kept_ > 1 && step_ != step && std::filesystem::exists(newest_file)) {
    // A second name for the same file, so that the first never goes missing.
    const std::filesystem::path second = directory_ / fmt::format("{}{}.h5", kOlderCheckpoint, step_);
    std::error_code no_links;
    std::filesystem::remove(second, no_links);
    const std::filesystem::path file = std::filesystem::canonical(newest_file);  // resolves symbolic links
    std::filesystem::create_hard_link(file, second, no_links);
    if (no_links) {
      std::filesystem::copy_file(file, second);
      sync_file(second);
    }
  }
  save_state(newest_file, kind, visit, config);
  step_ = step;
  const std::vector<std::filesystem::path> files = older(directory_);
  for (std::size_t i = 0; i + static_cast<std::size_t>(kept_ - 1) < files.size(); ++i)
    std::filesystem::remove(files[i]);
}

}  // namespace goalpost
