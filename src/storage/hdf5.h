// The part of HDF5 that goalpost uses, with errors as sentences. The only unit that includes hdf5.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

using Hdf5Shape = std::vector<std::uint64_t>;  ///< in C order: the last index runs fastest

/// An HDF5 file. Names are paths below the root, without the first slash; groups come into being with their datasets.
/// T is float, double, std::uint64_t, std::int64_t or std::uint8_t; files hold them little-endian. Metadata carries
/// check sums (format of HDF5 1.10), so that a flipped bit is an error and not another file.
///
/// @throws std::runtime_error with path, name and reason from every member function
class Hdf5File {
 public:
  static Hdf5File create(const std::filesystem::path& path);  ///< what the file held is lost
  static Hdf5File open(const std::filesystem::path& path);    ///< for reading

  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&&) = delete;
  ~Hdf5File();  ///< closes; errors are lost

  /// Closes the file; only then everything is written.
  void close();

  /// Writes a new dataset; no extent needs to be positive. @pre values.size() is the product of shape
  template <class T>
  void write(const std::string& name, const Hdf5Shape& shape, std::span<const T> values);
  /// Fills `values` from a dataset that must have this type and shape.
  template <class T>
  void read(const std::string& name, const Hdf5Shape& shape, std::span<T> values) const;
  /// A new dataset without rows that append() lets grow.
  /// @param row shape of a row; empty: a number @param chunk_rows rows that are stored together
  /// @param deflate compress (shuffle, then deflate at level 1: simulators' floats gain nothing from more)
  template <class T>
  void create_rows(const std::string& name, const Hdf5Shape& row, std::uint64_t chunk_rows, bool deflate);
  /// Appends whole rows to a dataset of create_rows.
  template <class T>
  void append(const std::string& name, std::span<const T> values);
  /// Fills `values` with `count` rows from `first` on. Numbers of another type are converted, but no float becomes an
  /// integer. @pre values.size() is the size of so many rows
  template <class T>
  void read_rows(const std::string& name, std::uint64_t first, std::uint64_t count, std::span<T> values) const;
  /// Its shape; nothing if there is no dataset of this name. A shape that cannot be backed by what the file stores, and
  /// chunks too large to read, are errors: so what is allocated for a dataset is bounded by the size of its file.
  std::optional<Hdf5Shape> find_dataset(const std::string& name) const;
  Hdf5Shape shape(const std::string& name) const;  ///< the same, of a dataset that must be there
  /// The names of all datasets, sorted.
  std::vector<std::string> datasets() const;
  bool has(const std::string& name) const;  ///< a dataset or group
  void create_group(const std::string& name);
  /// Flags as an enumeration FALSE, TRUE of bytes: what h5py takes for bool. Read them as std::uint8_t.
  void write_flags(const std::string& name, std::span<const std::uint8_t> flags, bool deflate);

  /// Attributes of a dataset or group; the name "" is the root.
  void write_attribute(const std::string& name, const char* attribute, std::string_view text);
  void write_attribute(const std::string& name, const char* attribute, std::uint64_t number);
  void write_attribute(const std::string& name, const char* attribute, std::int64_t number);
  void write_attribute(const std::string& name, const char* attribute, double number);
  bool has_attribute(const std::string& name, const char* attribute) const;
  std::string read_text(const std::string& name, const char* attribute) const;
  std::uint64_t read_number(const std::string& name, const char* attribute) const;
  double read_real(const std::string& name, const char* attribute) const;

 private:
  template <class T>
  void write_number(const std::string& name, const char* attribute, T number);
  Hdf5File(std::filesystem::path path, std::int64_t id) : path_(std::move(path)), id_(id) {}
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const;

  std::filesystem::path path_;
  std::int64_t id_;  // hid_t
};

}  // namespace goalpost
