// TensorBoard event files. Format: records of protobuf messages, each with two check sums.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "storage/file.h"

namespace goalpost::tensorboard {
class Event;
}

namespace goalpost {

/// CRC-32C (Castagnoli) of the bytes, rotated and shifted as in TFRecord files.
std::uint32_t masked_crc32c(std::string_view bytes);

/// Seconds since 1970.
double wall_time();

/// One event file of a run. Every record is written immediately, so that TensorBoard shows it without delay.
///
/// @throws std::runtime_error with path and reason from every member function that writes, e.g. for a full disk; the
/// earlier records stay readable
class EventFile {
 public:
  struct ScalarValue {
    std::string_view tag;  ///< group/name
    double value;          ///< stored as float
  };
  struct Hparam {
    std::string name;
    std::variant<double, std::string, bool> value;
  };
  using Clock = double (*)();  ///< seconds since 1970

  /// Creates events.out.tfevents.<seconds>.<host>.<process>.0 in an existing directory. The seconds are increased
  /// if an existing event file would sort after it: readers stop reading a file once they see a greater name.
  explicit EventFile(const std::filesystem::path& directory, Clock clock = wall_time);

  /// Writes all values as one event. Steps must not decrease from one call to the next, and a tag has one value per
  /// step: TensorBoard removes all values at and after a repeated step.
  void add_scalars(std::int64_t step, std::span<const ScalarValue> values);
  /// A histogram of 30 buckets of equal width; numbers that are not finite are left out. Steps as add_scalars.
  void add_histogram(std::int64_t step, std::string_view tag, std::span<const double> values);
  /// A Markdown text, at the step of the last event.
  void add_text(std::string_view tag, std::string_view markdown);
  /// The row of this run in the HPARAMS tab. The tab averages over runs with the same group name (the configuration
  /// without the seed); its columns are the hyper-parameters of all runs together, and their scalars.
  void add_hparams(std::span<const Hparam> hparams, std::string_view group_name);
  /// The status of the run in the HPARAMS tab.
  void add_hparams_end(bool success);
  /// Marks the start of a resumed run: TensorBoard hides values of the run's other files at and after the step.
  void add_session_start(std::int64_t step);

  void sync() { file_.sync(); }  ///< returns when all events are on the disk

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  void write(std::int64_t step, tensorboard::Event& event);

  Clock clock_;
  OutputFile file_;
  std::int64_t step_ = 0;  // of the last event
};

}  // namespace goalpost
