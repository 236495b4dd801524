// Hdf5File: reads and writes datasets and attributes of an HDF5 file, with errors as sentences. Only src/storage/hdf5_*
// includes the library's hdf5.h. The members are in hdf5_file.cpp (opening, closing, lists of names), hdf5_read.cpp and
// hdf5_write.cpp (datasets), and hdf5_attributes.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace goalpost {

/// The version of the loaded library, e.g. "1.10.8".
std::string hdf5_version();

using Hdf5Shape = std::vector<std::uint64_t>;  ///< in C order: the last index varies fastest

/// An HDF5 file. Names are paths below the root, without the first slash; groups are created with their datasets.
/// T is float, double, std::uint64_t, std::int64_t or std::uint8_t; files hold them little-endian. Metadata carries
/// check sums (format of HDF5 1.10), so that a flipped bit is an error.
///
/// Files of others are not trusted. A dataset is read only if it lies in the file itself: no soft or external links
/// on the way, no numbers in other files, no filters but shuffle, deflate and fletcher32, numbers of a usual type, a
/// shape that the stored bytes cover, chunks of at most 64 MiB. The memory of a dataset is therefore bounded by the
/// size of its file.
///
/// @throws std::runtime_error with path, name and reason from every member function; std::system_error, which is one,
/// where the system is the reason: a full disk, permissions, too many open files
class Hdf5File {
 public:
  static Hdf5File create(const std::filesystem::path& path);  ///< earlier contents are lost
  static Hdf5File open(const std::filesystem::path& path);    ///< for reading

  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&&) = delete;
  ~Hdf5File();  ///< closes; errors are lost

  const std::filesystem::path& path() const { return path_; }
  /// Closes the file; only then is everything written.
  void close();

  /// Writes a new dataset; no extent needs to be positive. @pre values.size() is the product of shape
  template <class T>
  void write(const std::string& name, const Hdf5Shape& shape, std::span<const T> values);
  /// Fills `values` from a dataset of this shape. Numbers of another type are converted if they fit: floats stay
  /// floats, whole numbers whole.
  template <class T>
  void read(const std::string& name, const Hdf5Shape& shape, std::span<T> values) const;
  /// Creates a dataset without rows; append() adds rows. Every chunk has a checksum (HDF5's Fletcher-32 filter), so
  /// that a flipped bit is an error when it is read.
  /// @param row shape of a row; empty: a number @param chunk_rows rows that are stored together
  /// @param deflate compress (shuffle, then deflate at level 1: simulators' floats gain nothing from more)
  template <class T>
  void create_rows(const std::string& name, const Hdf5Shape& row, std::uint64_t chunk_rows, bool deflate);
  /// Appends whole rows to a dataset of create_rows.
  template <class T>
  void append(const std::string& name, std::span<const T> values);
  /// Fills `values` with `count` rows from `first` on. Numbers of another type are converted, but no float becomes an
  /// integer. @pre values.size() is the size of `count` rows
  template <class T>
  void read_rows(const std::string& name, std::uint64_t first, std::uint64_t count, std::span<T> values) const;
  /// The shape of a dataset; nothing if there is none of this name.
  std::optional<Hdf5Shape> find_dataset(const std::string& name) const;
  Hdf5Shape shape(const std::string& name) const;  ///< the same; throws if there is no dataset
  bool is_real(const std::string& name) const;     ///< whether its numbers are floating-point. @pre it exists
  /// The names of all datasets, sorted. An object with a second name is an error: names could form a cycle.
  std::vector<std::string> datasets() const;
  bool has(const std::string& name) const;  ///< a dataset or group
  void create_group(const std::string& name);
  /// Flags as an enumeration FALSE, TRUE of bytes: h5py reads it as bool. Read them as std::uint8_t.
  void write_flags(const std::string& name, std::span<const std::uint8_t> flags, bool deflate);

  /// Attributes of a dataset or group; the name "" is the root.
  void write_attribute(const std::string& name, const char* attribute, std::string_view text);
  void write_attribute(const std::string& name, const char* attribute, std::uint64_t number);
  void write_attribute(const std::string& name, const char* attribute, std::int64_t number);
  void write_attribute(const std::string& name, const char* attribute, double number);
  bool has_attribute(const std::string& name, const char* attribute) const;
  /// UTF-8 text of fixed or variable length, as h5py writes either.
  std::string read_text(const std::string& name, const char* attribute) const;
  std::uint64_t read_number(const std::string& name, const char* attribute) const;
  double read_real(const std::string& name, const char* attribute) const;

 private:
  template <class T>
  void write_number(const std::string& name, const char* attribute, T number);
  Hdf5File(std::filesystem::path path, std::int64_t id, std::uint64_t bytes)
      : path_(std::move(path)), id_(id), bytes_(bytes) {}
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const;
  [[noreturn]] void fail_call(const std::string& name, const std::string& what) const;  // with HDF5's reason
  std::int64_t find(const std::string& name) const;
  std::int64_t dataset_to_read(const std::string& name) const;
  void check_storage(const std::string& name, std::int64_t dataset) const;
  void close_datasets() const;

  std::filesystem::path path_;
  std::int64_t id_;                                   // hid_t
  std::uint64_t bytes_;                               // of a file that is read
  mutable std::map<std::string, std::int64_t> open_;  // datasets that were read last; with them HDF5 keeps their chunks
};

}  // namespace goalpost
