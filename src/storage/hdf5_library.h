// What the parts of Hdf5File share: identifiers that close themselves, number types, errors of the library.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace goalpost::hdf5 {

static_assert(std::is_same_v<hid_t, std::int64_t>);

/// Stops HDF5 from printing its errors; reason() returns them. Also disables its exit handler, whose work our
/// destructors do: it crashes in 1.10 on a file that could not be closed because of a full disk. Call it before any
/// other function of the library.
void prepare_library();

/// The message of the first failed call and the system error that caused it; 0 if none did.
struct Failure {
  std::string text;
  int error = 0;
};
Failure failure();
std::string reason();  ///< both as one text
/// @throws std::system_error if the system is the cause, std::runtime_error otherwise; both with the reason
[[noreturn]] void throw_failure(const std::string& what, const Failure& f);

/// An identifier with its function to close it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }
  hid_t release() { return std::exchange(id_, -1); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// The HDF5 types of a C++ number, in memory and in files, and its name in messages.
template <class T>
struct Types;
template <>
struct Types<float> {
  static hid_t memory() { return H5T_NATIVE_FLOAT; }
  static hid_t file() { return H5T_IEEE_F32LE; }
  static constexpr const char* name = "float32";
};
template <>
struct Types<double> {
  static hid_t memory() { return H5T_NATIVE_DOUBLE; }
  static hid_t file() { return H5T_IEEE_F64LE; }
  static constexpr const char* name = "float64";
};
template <>
struct Types<std::uint64_t> {
  static hid_t memory() { return H5T_NATIVE_UINT64; }
  static hid_t file() { return H5T_STD_U64LE; }
  static constexpr const char* name = "uint64";
};

template <>
struct Types<std::int64_t> {
  static hid_t memory() { return H5T_NATIVE_INT64; }
  static hid_t file() { return H5T_STD_I64LE; }
  static constexpr const char* name = "int64";
};
template <>
struct Types<std::uint8_t> {
  static hid_t memory() { return H5T_NATIVE_UINT8; }
  static hid_t file() { return H5T_STD_U8LE; }
  static constexpr const char* name = "uint8";
};

/// The name of a type in messages.
std::string type_name(hid_t type);

/// Whether the type is a native one. HDF5 could also convert from fields of, e.g., 37 bits.
bool is_usual(hid_t type);

/// Enumerations of bytes, as h5py writes bool.
bool is_flag(hid_t type);

/// An Hdf5Shape.
std::vector<std::uint64_t> shape_of(hid_t dataset);

/// "/" for the root, whose name is empty.
std::string object_path(const std::string& name);

/// A property list for new files, groups or datasets that store no times: equal values make equal files.
Handle without_times(hid_t list_class);

/// The product of the extents, or the largest number on overflow.
template <class Extents>
std::uint64_t product(const Extents& shape) {
  std::uint64_t n = 1;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(n, extent, &n)) return ~std::uint64_t(0);
  }
  return n;
}

}  // namespace goalpost::hdf5
