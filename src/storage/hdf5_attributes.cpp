// Hdf5File: attributes of datasets and groups.
#include "storage/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "core/text.h"
#include "storage/hdf5_library.h"

namespace goalpost {

using namespace hdf5;

void Hdf5File::write_attribute(const std::string& name, const char* attribute, std::string_view value) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, value.size() + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle id(
      H5Acreate_by_name(id_, object_path(name).c_str(), attribute, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  if (id < 0 || H5Awrite(id, type, std::string(value).c_str()) < 0)
    fail_call(name, fmt::format("cannot write attribute {}", attribute));
}

template <class T>
void Hdf5File::write_number(const std::string& name, const char* attribute, T number) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle id(H5Acreate_by_name(id_, object_path(name).c_str(), attribute, Types<T>::file(), space, H5P_DEFAULT,
                                    H5P_DEFAULT, H5P_DEFAULT),
                  H5Aclose);
  if (id < 0 || H5Awrite(id, Types<T>::memory(), &number) < 0)
    fail_call(name, fmt::format("cannot write attribute {}", attribute));
}

void Hdf5File::write_attribute(const std::string& name, const char* attribute, std::uint64_t number) {
  write_number(name, attribute, number);
}

void Hdf5File::write_attribute(const std::string& name, const char* attribute, std::int64_t number) {
  write_number(name, attribute, number);
}

void Hdf5File::write_attribute(const std::string& name, const char* attribute, double number) {
  write_number(name, attribute, number);
}

bool Hdf5File::has_attribute(const std::string& name, const char* attribute) const {
  const htri_t found = H5Aexists_by_name(id_, object_path(name).c_str(), attribute, H5P_DEFAULT);
  if (found < 0)
    fail_call(name, fmt::format("the attributes are damaged; expected to find whether {} is there", attribute));
  return found > 0;
}

std::string Hdf5File::read_text(const std::string& name, const char* attribute) const {
  const Handle id(H5Aopen_by_name(id_, object_path(name).c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (id < 0) fail(name, fmt::format("there is no attribute {}", attribute));
  const Handle type(H5Aget_type(id), H5Tclose);
  const Handle space(H5Aget_space(id), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Tget_class(type) != H5T_STRING || count != 1)
    fail(name, fmt::format("attribute {} is {}; expected one text", attribute,
                           H5Tget_class(type) == H5T_STRING ? fmt::format("{} texts", count) : type_name(type)));
  std::string value;
  const auto check_size = [&](std::size_t bytes) {
    constexpr std::size_t kLongest = std::size_t(1) << 20;
    if (bytes > kLongest)
      fail(name, fmt::format("attribute {} has {} bytes; expected at most {}", attribute, bytes, kLongest));
  };
  const auto read = [&](hid_t memory, void* to) {
    if (H5Aread(id, memory, to) < 0) fail_call(name, fmt::format("cannot read attribute {}", attribute));
  };
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    read(type, &text);
    const std::unique_ptr<void, herr_t (*)(void*)> owner(text, H5free_memory);
    check_size(text == nullptr ? 0 : std::strlen(text));
    if (text != nullptr) value = text;
  } else {
    check_size(H5Tget_size(type));
    value.resize(H5Tget_size(type));
    read(type, value.data());
    value.resize(std::min(value.size(), value.find('\0')));
    if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) value.resize(value.find_last_not_of(' ') + 1);
  }
  if (!is_utf8(value)) fail(name, fmt::format("attribute {} is not UTF-8", attribute));
  return value;
}

std::uint64_t Hdf5File::read_number(const std::string& name, const char* attribute) const {
  const Handle id(H5Aopen_by_name(id_, object_path(name).c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (id < 0) fail(name, fmt::format("there is no attribute {}", attribute));
  const Handle type(H5Aget_type(id), H5Tclose);
  std::uint64_t number = 0;
  std::int64_t sign = 0;
  const Handle space(H5Aget_space(id), H5Sclose);
  if (H5Tget_class(type) != H5T_INTEGER || !is_usual(type) || H5Sget_simple_extent_npoints(space) != 1 ||
      H5Aread(id, H5T_NATIVE_UINT64, &number) < 0 ||
      (H5Tget_sign(type) == H5T_SGN_2 && H5Aread(id, H5T_NATIVE_INT64, &sign) < 0))
    fail(name, fmt::format("attribute {} is {}; expected a whole number", attribute, type_name(type)));
  if (sign < 0) fail(name, fmt::format("attribute {} is {}; expected a number >= 0", attribute, sign));
  return number;
}

double Hdf5File::read_real(const std::string& name, const char* attribute) const {
  const Handle id(H5Aopen_by_name(id_, object_path(name).c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (id < 0) fail(name, fmt::format("there is no attribute {}", attribute));
  const Handle type(H5Aget_type(id), H5Tclose), space(H5Aget_space(id), H5Sclose);
  double number = 0;
  if (!is_usual(type) || H5Sget_simple_extent_npoints(space) != 1 || H5Aread(id, H5T_NATIVE_DOUBLE, &number) < 0)
    fail(name, fmt::format("attribute {} is {}; expected a number", attribute, type_name(type)));
  return number;
}

}  // namespace goalpost
