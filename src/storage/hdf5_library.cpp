// Errors of the HDF5 library, and types and shapes of datasets.
#include "storage/hdf5_library.h"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace goalpost::hdf5 {

void prepare_library() {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Failure failure() {
  std::string text;
  const auto innermost = [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
    if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &text);
  // HDF5 puts times, addresses and sizes around the system's message.
  constexpr std::string_view kError = "errno = ";
  if (const std::size_t at = text.find(kError); at != text.npos && text.find("error message = '") != text.npos)
    return {text.substr(0, text.find(':')), std::atoi(text.c_str() + at + kError.size())};
  // What a checksum or a compression finds wrong; newer versions do not tell which of them.
  for (const char* filter : {"Fletcher32", "inflate", "filter returned failure"})
    if (text.find(filter) != text.npos) return {"the numbers are not those that were written: the file is damaged"};
  return {text.empty() ? "no reason given" : text};
}
std::string reason() {
  const Failure f = failure();
  return f.error == 0 ? f.text : fmt::format("{}: {}", f.text, std::generic_category().message(f.error));
}
[[noreturn]] void throw_failure(const std::string& what, const Failure& f) {
  const std::string sentence = fmt::format("{}: {}", what, f.text);
  if (f.error != 0) throw std::system_error(f.error, std::generic_category(), sentence);
  throw std::runtime_error(sentence);
}

std::string type_name(hid_t type) {
  if (H5Tequal(type, Types<float>::file()) > 0) return Types<float>::name;
  if (H5Tequal(type, Types<double>::file()) > 0) return Types<double>::name;
  if (H5Tequal(type, Types<std::uint64_t>::file()) > 0) return Types<std::uint64_t>::name;
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return fmt::format("a {}-byte integer", H5Tget_size(type));
    case H5T_FLOAT:
      return fmt::format("a {}-byte float", H5Tget_size(type));
    case H5T_STRING:
      return "text";
    default:
      return "another type";
  }
}

bool is_usual(hid_t type) {
  for (const hid_t usual :
       {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I8LE,  H5T_STD_I16LE,  H5T_STD_I32LE,  H5T_STD_I64LE, H5T_STD_U8LE,
        H5T_STD_U16LE,  H5T_STD_U32LE,  H5T_STD_U64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE, H5T_STD_I8BE,  H5T_STD_I16BE,
        H5T_STD_I32BE,  H5T_STD_I64BE,  H5T_STD_U8BE,  H5T_STD_U16BE,  H5T_STD_U32BE,  H5T_STD_U64BE})
    if (H5Tequal(type, usual) > 0) return true;
  return false;
}

bool is_flag(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_size(type) != 1) return false;
  const Handle base(H5Tget_super(type), H5Tclose);
  return is_usual(base);
}

std::vector<std::uint64_t> shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> extents(rank > 0 ? static_cast<std::size_t>(rank) : 0);
  if (rank > 0) H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return {extents.begin(), extents.end()};
}

std::string object_path(const std::string& name) { return name.empty() ? "/" : name; }

Handle without_times(hid_t list_class) {
  Handle creation(H5Pcreate(list_class), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // equal values make equal files
  return creation;
}

}  // namespace goalpost::hdf5
