#include "storage/hdf5.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <stdexcept>
#include <utility>

namespace goalpost {
namespace {

static_assert(std::is_same_v<hid_t, std::int64_t>);

// HDF5 prints its errors unless it is told not to; they are asked for with reason() instead. Its work at the exit of
// the program is done by our destructors; without H5dont_atexit, 1.10 crashes there on a file that a full disk kept
// from being closed.
void prepare_library() {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

// What the call that failed first says.
std::string reason() {
  std::string text;
  const auto innermost = [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
    if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &text);
  return text.empty() ? "no reason given" : text;
}

// An identifier with its function to close it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

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

Hdf5Shape shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> extents(rank > 0 ? static_cast<std::size_t>(rank) : 0);
  if (rank > 0) H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return {extents.begin(), extents.end()};
}

std::string text(const Hdf5Shape& shape) { return fmt::format("[{}]", fmt::join(shape, " x ")); }

std::string object_path(const std::string& name) { return name.empty() ? "/" : name; }

}  // namespace

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  prepare_library();
  const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (id < 0) throw std::runtime_error(fmt::format("cannot create {}: {}", path.string(), reason()));
  return {path, id};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  prepare_library();
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id < 0) {
    const std::string why = reason();
    if (std::filesystem::is_regular_file(path))
      throw std::runtime_error(fmt::format("{} is not a complete HDF5 file: {}", path.string(), why));
    throw std::runtime_error(fmt::format("cannot open {}: {}", path.string(), why));
  }
  return {path, id};
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept : path_(std::move(other.path_)), id_(std::exchange(other.id_, -1)) {}

Hdf5File::~Hdf5File() {
  if (id_ >= 0) H5Fclose(id_);
}

void Hdf5File::close() {
  if (H5Fclose(std::exchange(id_, -1)) < 0)
    throw std::runtime_error(fmt::format("cannot finish {}: {}", path_.string(), reason()));
}

void Hdf5File::fail(const std::string& name, const std::string& problem) const {
  throw std::runtime_error(fmt::format("{}: {}: {}", path_.string(), object_path(name), problem));
}

template <class T>
void Hdf5File::write(const std::string& name, const Hdf5Shape& shape, std::span<const T> values) {
  if (name.empty()) fail(name, "a dataset needs a name");
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links, 1);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // equal values make equal files
  const Handle dataset(H5Dcreate2(id_, name.c_str(), Types<T>::file(), space, links, creation, H5P_DEFAULT), H5Dclose);
  if (dataset < 0) fail(name, "cannot create the dataset: " + reason());
  if (values.empty()) return;
  if (H5Dwrite(dataset, Types<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail(name, "cannot write: " + reason());
}

template <class T>
void Hdf5File::read(const std::string& name, const Hdf5Shape& shape, std::span<T> values) const {
  const Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset < 0) fail(name, "the file has no such dataset");
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (H5Tequal(type, Types<T>::file()) <= 0)
    fail(name, fmt::format("the numbers are {}; expected {}", type_name(type), Types<T>::name));
  if (const Hdf5Shape found = shape_of(dataset); found != shape)
    fail(name, fmt::format("the shape is {}; expected {}", text(found), text(shape)));
  if (values.empty()) return;
  if (H5Dread(dataset, Types<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail(name, "cannot read: " + reason());
}

template void Hdf5File::write(const std::string&, const Hdf5Shape&, std::span<const float>);
template void Hdf5File::write(const std::string&, const Hdf5Shape&, std::span<const double>);
template void Hdf5File::write(const std::string&, const Hdf5Shape&, std::span<const std::uint64_t>);
template void Hdf5File::read(const std::string&, const Hdf5Shape&, std::span<float>) const;
template void Hdf5File::read(const std::string&, const Hdf5Shape&, std::span<double>) const;
template void Hdf5File::read(const std::string&, const Hdf5Shape&, std::span<std::uint64_t>) const;

std::vector<std::string> Hdf5File::datasets() const {
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5O_info_t* info, void* out) -> herr_t {
    if (info->type == H5O_TYPE_DATASET) static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  if (H5Ovisit2(id_, H5_INDEX_NAME, H5_ITER_INC, add, &names, H5O_INFO_BASIC) < 0)
    fail("", "cannot list the datasets: " + reason());
  return names;
}

void Hdf5File::write_attribute(const std::string& name, const char* attribute, std::string_view value) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, value.size() + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle id(
      H5Acreate_by_name(id_, object_path(name).c_str(), attribute, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  if (id < 0 || H5Awrite(id, type, std::string(value).c_str()) < 0)
    fail(name, fmt::format("cannot write attribute {}: {}", attribute, reason()));
}

void Hdf5File::write_attribute(const std::string& name, const char* attribute, std::uint64_t number) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle id(H5Acreate_by_name(id_, object_path(name).c_str(), attribute, H5T_STD_U64LE, space, H5P_DEFAULT,
                                    H5P_DEFAULT, H5P_DEFAULT),
                  H5Aclose);
  if (id < 0 || H5Awrite(id, H5T_NATIVE_UINT64, &number) < 0)
    fail(name, fmt::format("cannot write attribute {}: {}", attribute, reason()));
}

std::string Hdf5File::read_text(const std::string& name, const char* attribute) const {
  const Handle id(H5Aopen_by_name(id_, object_path(name).c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (id < 0) fail(name, fmt::format("there is no attribute {}", attribute));
  const Handle type(H5Aget_type(id), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0)
    fail(name, fmt::format("attribute {} is {}; expected text of fixed length", attribute, type_name(type)));
  constexpr std::size_t kLongest = std::size_t(1) << 20;
  if (H5Tget_size(type) > kLongest)
    fail(name, fmt::format("attribute {} has {} bytes; expected at most {}", attribute, H5Tget_size(type), kLongest));
  std::string value(H5Tget_size(type), '\0');
  if (H5Aread(id, type, value.data()) < 0) fail(name, fmt::format("cannot read attribute {}: {}", attribute, reason()));
  return value.substr(0, value.find('\0'));
}

std::uint64_t Hdf5File::read_number(const std::string& name, const char* attribute) const {
  const Handle id(H5Aopen_by_name(id_, object_path(name).c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (id < 0) fail(name, fmt::format("there is no attribute {}", attribute));
  const Handle type(H5Aget_type(id), H5Tclose);
  std::uint64_t number = 0;
  if (H5Tget_class(type) != H5T_INTEGER || H5Aread(id, H5T_NATIVE_UINT64, &number) < 0)
    fail(name, fmt::format("attribute {} is {}; expected a whole number", attribute, type_name(type)));
  return number;
}

}  // namespace goalpost
