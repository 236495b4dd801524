// The part of HDF5 that goalpost uses, with errors as sentences. The only unit that includes hdf5.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

using Hdf5Shape = std::vector<std::uint64_t>;  ///< in C order: the last index runs fastest

/// An HDF5 file. Names are paths below the root, without the first slash; groups come into being with their datasets.
/// T is float, double or std::uint64_t; files hold them little-endian.
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
  /// The names of all datasets, sorted.
  std::vector<std::string> datasets() const;

  /// Attributes of a dataset or group; the name "" is the root.
  void write_attribute(const std::string& name, const char* attribute, std::string_view text);
  void write_attribute(const std::string& name, const char* attribute, std::uint64_t number);
  std::string read_text(const std::string& name, const char* attribute) const;
  std::uint64_t read_number(const std::string& name, const char* attribute) const;

 private:
  Hdf5File(std::filesystem::path path, std::int64_t id) : path_(std::move(path)), id_(id) {}
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const;

  std::filesystem::path path_;
  std::int64_t id_;  // hid_t
};

}  // namespace goalpost
