#include "storage/hdf5.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include "core/suggest.h"
#include "core/text.h"

namespace goalpost {
namespace {

static_assert(std::is_same_v<hid_t, std::int64_t>);

// HDF5 prints its errors unless it is told not to; they are asked for with reason() instead. Its work at the exit of
// the program is done by our destructors; without H5dont_atexit, 1.10 crashes there on a file that a full disk kept
// from being closed. Before any other call of the library.
void prepare_library() {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

// What the call that failed first says, and the error of the system behind it; 0 if that was not it.
struct Failure {
  std::string text;
  int error = 0;
};
Failure failure() {
  std::string text;
  const auto innermost = [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
    if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &text);
  // What the system said comes with times, addresses and sizes around it.
  constexpr std::string_view kError = "errno = ";
  if (const std::size_t at = text.find(kError); at != text.npos && text.find("error message = '") != text.npos)
    return {text.substr(0, text.find(':')), std::atoi(text.c_str() + at + kError.size())};
  if (text.find("Fletcher32") != text.npos) return {"the numbers are not those that were written: the file is damaged"};
  return {text.empty() ? "no reason given" : text};
}
std::string reason() {
  const Failure f = failure();
  return f.error == 0 ? f.text : fmt::format("{}: {}", f.text, std::generic_category().message(f.error));
}
// @throws std::system_error where the system is the reason, std::runtime_error otherwise; both say it
[[noreturn]] void throw_failure(const std::string& what, const Failure& f) {
  const std::string sentence = fmt::format("{}: {}", what, f.text);
  if (f.error != 0) throw std::system_error(f.error, std::generic_category(), sentence);
  throw std::runtime_error(sentence);
}

// Whether HDF5 could not lock a file, and the system's reason; 0 if that was not it.
int lock_failure(const std::string& why) {
  constexpr std::string_view kLock = "unable to lock file, errno = ";
  const std::size_t at = why.find(kLock);
  return at == why.npos ? 0 : std::atoi(why.c_str() + at + kLock.size());
}

// Calls open(access) with locks, and where the file system has none, without.
template <class Open>
hid_t open_locked(const std::filesystem::path& path, hid_t access, Open open) {
  hid_t id = open(access);
  if (id >= 0) return id;
  const std::string why = reason();
  const int error = lock_failure(why);
  if (error == EWOULDBLOCK) throw std::runtime_error(fmt::format("{} is in use by another process", path.string()));
  if (why.find("already open for") != why.npos)
    throw std::runtime_error(fmt::format(
        "{} is in use by another process, or the program that wrote it did not close it ({})", path.string(), why));
  if (error == 0) return id;
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access, false, true);
  id = open(access);
  if (id >= 0 || lock_failure(reason()) == 0) return id;
#endif
  throw std::runtime_error(
      fmt::format("{} cannot be locked: {}; HDF5_USE_FILE_LOCKING=FALSE in the environment goes without locks",
                  path.string(), std::generic_category().message(error)));
}

// An identifier with its function to close it.
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

// Whether the numbers are of a type that computers have. HDF5 could also convert from fields of 37 bits.
bool is_usual(hid_t type) {
  for (const hid_t usual :
       {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I8LE,  H5T_STD_I16LE,  H5T_STD_I32LE,  H5T_STD_I64LE, H5T_STD_U8LE,
        H5T_STD_U16LE,  H5T_STD_U32LE,  H5T_STD_U64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE, H5T_STD_I8BE,  H5T_STD_I16BE,
        H5T_STD_I32BE,  H5T_STD_I64BE,  H5T_STD_U8BE,  H5T_STD_U16BE,  H5T_STD_U32BE,  H5T_STD_U64BE})
    if (H5Tequal(type, usual) > 0) return true;
  return false;
}

// Enumerations of bytes, as h5py writes bool.
bool is_flag(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_size(type) != 1) return false;
  const Handle base(H5Tget_super(type), H5Tclose);
  return is_usual(base);
}

Hdf5Shape shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> extents(rank > 0 ? static_cast<std::size_t>(rank) : 0);
  if (rank > 0) H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return {extents.begin(), extents.end()};
}

std::string text(const Hdf5Shape& shape) { return fmt::format("[{}]", fmt::join(shape, " x ")); }

// What an object is, and a key that tells it from the file's others. HDF5 1.12 has another call and struct for it than
// 1.10, and keeps the latter's only as an option of its build.
struct Object {
  H5O_type_t type;
  std::string key;
};
std::optional<Object> find_object(hid_t at, const char* name) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info;
  if (H5Oget_info_by_name3(at, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return {};
  const auto& address = info.token;
#else
  H5O_info_t info;
  if (H5Oget_info_by_name2(at, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return {};
  const auto& address = info.addr;
#endif
  return Object{info.type, std::string(reinterpret_cast<const char*>(&address), sizeof address)};
}

std::string object_path(const std::string& name) { return name.empty() ? "/" : name; }

Handle without_times(hid_t list_class) {
  Handle creation(H5Pcreate(list_class), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // equal values make equal files
  return creation;
}

// With a checksum for every chunk.
Handle chunked(std::span<const hsize_t> chunk, bool deflate) {
  Handle creation = without_times(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  if (deflate) {
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 1);
  }
  H5Pset_fletcher32(creation);
  return creation;
}

// The groups above a name. HDF5 would make them itself, but with the time in them.
void make_groups_above(hid_t file, const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
    const std::string group = name.substr(0, slash);
    if (H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) continue;
    const Handle creation = without_times(H5P_GROUP_CREATE);
    const Handle made(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), H5Gclose);
  }
}

template <class Extents>
std::uint64_t product(const Extents& shape) {
  std::uint64_t n = 1;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(n, extent, &n)) return ~std::uint64_t(0);
  }
  return n;
}

// What deflate can at most make of a byte, what one chunk may hold at most, how many groups may lie in each other, and
// how many datasets stay open.
constexpr std::uint64_t kLargestRatio = 1100, kLargestChunk = std::uint64_t(64) << 20;
constexpr std::size_t kDeepest = 32, kOpenDatasets = 16;

}  // namespace

std::string hdf5_version() {
  prepare_library();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  prepare_library();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  const Handle creation = without_times(H5P_FILE_CREATE);
  const hid_t id =
      open_locked(path, access, [&](hid_t list) { return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, list); });
  if (id < 0) throw_failure("cannot create " + path.string(), failure());
  return {path, id, std::numeric_limits<std::uint64_t>::max()};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  prepare_library();
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    throw std::runtime_error(fmt::format("{} is no file; expected an HDF5 file", path.string()));
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const hid_t id = open_locked(path, access, [&](hid_t list) { return H5Fopen(path.c_str(), H5F_ACC_RDONLY, list); });
  if (id < 0) {
    const Failure why = failure();
    if (why.error == 0 && std::filesystem::is_regular_file(path))
      throw std::runtime_error(fmt::format("{} is not a complete HDF5 file: {}", path.string(), why.text));
    throw_failure("cannot open " + path.string(), why);
  }
  return {path, id, std::filesystem::file_size(path)};
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_(std::move(other.path_)),
      id_(std::exchange(other.id_, -1)),
      bytes_(other.bytes_),
      open_(std::exchange(other.open_, {})) {}

Hdf5File::~Hdf5File() {
  close_datasets();
  if (id_ >= 0) H5Fclose(id_);
}

void Hdf5File::close_datasets() const {
  for (const auto& [name, dataset] : open_) H5Dclose(dataset);
  open_.clear();
}

void Hdf5File::close() {
  close_datasets();
  if (H5Fclose(std::exchange(id_, -1)) < 0) throw_failure("cannot finish " + path_.string(), failure());
}

void Hdf5File::fail(const std::string& name, const std::string& problem) const {
  throw std::runtime_error(fmt::format("{}: {}: {}", path_.string(), object_path(name), problem));
}

void Hdf5File::fail_call(const std::string& name, const std::string& what) const {
  throw_failure(fmt::format("{}: {}: {}", path_.string(), object_path(name), what), failure());
}

template <class T>
void Hdf5File::write(const std::string& name, const Hdf5Shape& shape, std::span<const T> values) {
  if (name.empty()) fail(name, "a dataset needs a name");
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  make_groups_above(id_, name);
  const Handle creation = without_times(H5P_DATASET_CREATE);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), Types<T>::file(), space, H5P_DEFAULT, creation, H5P_DEFAULT),
                       H5Dclose);
  if (dataset < 0) fail_call(name, "cannot create the dataset");
  if (values.empty()) return;
  if (H5Dwrite(dataset, Types<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot write");
}

template <class T>
void Hdf5File::read(const std::string& name, const Hdf5Shape& shape, std::span<T> values) const {
  const hid_t dataset = dataset_to_read(name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (!is_usual(type) || (H5Tget_class(type) == H5T_FLOAT) != std::is_floating_point_v<T>)
    fail(name, fmt::format("the numbers are {}; expected {}", type_name(type), Types<T>::name));
  if (const Hdf5Shape found = shape_of(dataset); found != shape)
    fail(name, fmt::format("the shape is {}; expected {}", text(found), text(shape)));
  if (values.empty()) return;
  // Numbers of another type are converted if they fit, as those of Python's tools: float64, or signed.
  const auto convert = [&]<class Wide>(Wide, auto fits) {
    std::vector<Wide> wide(values.size());
    if (H5Dread(dataset, Types<Wide>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, wide.data()) < 0)
      fail_call(name, "cannot read");
    for (std::size_t i = 0; i < wide.size(); ++i) {
      values[i] = static_cast<T>(wide[i]);
      if (!fits(wide[i]))
        fail(name, fmt::format("number {} is {}; expected one that fits into {}", i, wide[i], Types<T>::name));
    }
  };
  if constexpr (std::is_same_v<T, float>)
    if (H5Tget_size(type) > sizeof(T))
      return convert(double{}, [](double x) {
        return !std::isfinite(x) || std::abs(x) <= static_cast<double>(std::numeric_limits<float>::max());
      });
  if constexpr (std::is_same_v<T, std::uint64_t>)
    if (H5Tget_sign(type) == H5T_SGN_2) return convert(std::int64_t{}, [](std::int64_t x) { return x >= 0; });
  if (H5Dread(dataset, Types<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot read");
}

template <class T>
void Hdf5File::create_rows(const std::string& name, const Hdf5Shape& row, std::uint64_t chunk_rows, bool deflate) {
  std::vector<hsize_t> extents(row.begin(), row.end()), limits, chunk;
  extents.insert(extents.begin(), 0);
  limits = chunk = extents;
  limits[0] = H5S_UNLIMITED;
  chunk[0] = chunk_rows;
  for (hsize_t& extent : chunk) extent = std::max<hsize_t>(extent, 1);
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), limits.data()), H5Sclose);
  make_groups_above(id_, name);
  const Handle creation = chunked(chunk, deflate);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), Types<T>::file(), space, H5P_DEFAULT, creation, H5P_DEFAULT),
                       H5Dclose);
  if (dataset < 0) fail_call(name, "cannot create the dataset");
}

template <class T>
void Hdf5File::append(const std::string& name, std::span<const T> values) {
  const Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset < 0) fail(name, "the file has no such dataset");
  const Hdf5Shape before = shape_of(dataset);
  const std::uint64_t row = product(std::span(before).subspan(1));
  if (row == 0 || values.empty()) return;
  std::vector<hsize_t> extents(before.begin(), before.end()), start(before.size(), 0), count = extents;
  count[0] = values.size() / row;
  start[0] = extents[0];
  extents[0] += count[0];
  if (H5Dset_extent(dataset, extents.data()) < 0) fail_call(name, "cannot append");
  const Handle file_space(H5Dget_space(dataset), H5Sclose);
  const Handle memory_space(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  if (H5Dwrite(dataset, Types<T>::memory(), memory_space, file_space, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot append");
}

template <class T>
void Hdf5File::read_rows(const std::string& name, std::uint64_t first, std::uint64_t count, std::span<T> values) const {
  const hid_t dataset = dataset_to_read(name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const bool flags = is_flag(type) && std::is_same_v<T, std::uint8_t>;
  const bool whole = H5Tget_class(type) == H5T_INTEGER;
  if (!flags && !(is_usual(type) && (whole || std::is_floating_point_v<T>)))
    fail(name, fmt::format("the numbers are {}; expected {}", type_name(type), Types<T>::name));
  const Hdf5Shape shape = shape_of(dataset);
  if (shape.empty() || count > shape[0] || first > shape[0] - count)
    fail(name, fmt::format("rows {} to {} are wanted of the shape {}", first, first + count, text(shape)));
  std::vector<hsize_t> start(shape.size(), 0), extents(shape.begin(), shape.end());
  start[0] = first;
  extents[0] = count;
  if (product(extents) != values.size())
    fail(name, fmt::format("the shape is {}; expected {} numbers in {} rows", text(shape), values.size(), count));
  if (values.empty()) return;
  const Handle file_space(H5Dget_space(dataset), H5Sclose);
  const Handle memory_space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, extents.data(), nullptr);
  if (H5Dread(dataset, flags ? type : Types<T>::memory(), memory_space, file_space, H5P_DEFAULT, values.data()) < 0)
    fail_call(name, "cannot read");
}

#define GP_INSTANTIATE(T)                                                                            \
  template void Hdf5File::write(const std::string&, const Hdf5Shape&, std::span<const T>);           \
  template void Hdf5File::read(const std::string&, const Hdf5Shape&, std::span<T>) const;            \
  template void Hdf5File::create_rows<T>(const std::string&, const Hdf5Shape&, std::uint64_t, bool); \
  template void Hdf5File::append(const std::string&, std::span<const T>);                            \
  template void Hdf5File::read_rows(const std::string&, std::uint64_t, std::uint64_t, std::span<T>) const;
GP_INSTANTIATE(float)
GP_INSTANTIATE(double)
GP_INSTANTIATE(std::uint64_t)
GP_INSTANTIATE(std::int64_t)
GP_INSTANTIATE(std::uint8_t)
#undef GP_INSTANTIATE

bool Hdf5File::has(const std::string& name) const {
  // Every part of the path has to be asked for: a missing group in the middle is an error otherwise.
  for (std::size_t end = 0; end != name.npos;) {
    end = name.find('/', end + 1);
    const std::string part = name.substr(0, end);
    H5L_info_t link;
    if (H5Lget_info(id_, part.c_str(), &link, H5P_DEFAULT) < 0) return false;
    if (link.type != H5L_TYPE_HARD) fail(part, "this is a link to another place; expected the thing itself");
  }
  return H5Oexists_by_name(id_, name.c_str(), H5P_DEFAULT) > 0;
}

// That what the file says of a dataset can be believed.
void Hdf5File::check_storage(const std::string& name, hid_t dataset) const {
  const Handle type(H5Dget_type(dataset), H5Tclose), creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!is_usual(type) && !is_flag(type))
    fail(name, fmt::format("the numbers are {}; expected float32, float64, whole numbers or flags", type_name(type)));
  if (H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) != 0)
    fail(name, "the numbers lie in other files; expected them in this one");
  bool deflated = false;
  std::set<H5Z_filter_t> filters;
  for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
    std::size_t no_values = 0;
    unsigned flags = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &no_values, nullptr, 0, nullptr, nullptr);
    const bool known = filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_FLETCHER32;
    if (!known || !filters.insert(filter).second)
      fail(name,
           fmt::format("filter {} of the numbers is number {}; expected shuffle ({}), deflate ({}) and fletcher32 "
                       "({}), each once at most",
                       i, filter, H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32));
    deflated = deflated || filter == H5Z_FILTER_DEFLATE;
  }
  const Hdf5Shape found = shape_of(dataset);
  const std::uint64_t size = H5Tget_size(type);
  if (H5Pget_layout(creation) == H5D_CHUNKED) {
    std::vector<hsize_t> extents(found.size());
    H5Pget_chunk(creation, static_cast<int>(extents.size()), extents.data());
    const std::uint64_t chunk = product(extents);
    if (chunk > kLargestChunk / size)
      fail(name, fmt::format("a chunk holds {} numbers; expected at most {} bytes", chunk, kLargestChunk));
  }
  const std::uint64_t stored = H5Dget_storage_size(dataset), numbers = product(found);
  if (stored > bytes_)
    fail(name, fmt::format("{} bytes are said to be stored; expected less than the file's {}", stored, bytes_));
  if (numbers / (deflated ? kLargestRatio : 1) > stored / size)
    fail(name, fmt::format("the shape {} is beyond the {} bytes that are stored", text(found), stored));
}

// The dataset of this name, opened and looked at once; -1 if there is none.
hid_t Hdf5File::find(const std::string& name) const {
  if (const auto known = open_.find(name); known != open_.end()) return known->second;
  if (!has(name)) return -1;
  Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset < 0) return -1;
  check_storage(name, dataset);
  if (open_.size() >= kOpenDatasets) close_datasets();
  return open_[name] = dataset.release();
}

hid_t Hdf5File::dataset_to_read(const std::string& name) const {
  const hid_t dataset = find(name);
  if (dataset < 0) fail(name, "the file has no such dataset");
  return dataset;
}

std::optional<Hdf5Shape> Hdf5File::find_dataset(const std::string& name) const {
  const hid_t dataset = find(name);
  if (dataset < 0) return {};
  return shape_of(dataset);
}

Hdf5Shape Hdf5File::shape(const std::string& name) const { return shape_of(dataset_to_read(name)); }

bool Hdf5File::is_real(const std::string& name) const {
  const Handle type(H5Dget_type(dataset_to_read(name)), H5Tclose);
  return H5Tget_class(type) == H5T_FLOAT;
}

void Hdf5File::create_group(const std::string& name) {
  make_groups_above(id_, name);
  const Handle creation = without_times(H5P_GROUP_CREATE);
  const Handle group(H5Gcreate2(id_, name.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), H5Gclose);
  if (group < 0) fail_call(name, "cannot create the group");
}

void Hdf5File::write_flags(const std::string& name, std::span<const std::uint8_t> flags, bool deflate) {
  const Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
  for (const auto& [label, value] : {std::pair{"FALSE", std::int8_t(0)}, std::pair{"TRUE", std::int8_t(1)}})
    H5Tenum_insert(type, label, &value);
  const hsize_t extent = flags.size(), limit = H5S_UNLIMITED, chunk = std::clamp<hsize_t>(extent, 1, 1 << 16);
  const Handle space(H5Screate_simple(1, &extent, &limit), H5Sclose);
  make_groups_above(id_, name);
  const Handle creation = chunked({&chunk, 1}, deflate);
  const Handle dataset(H5Dcreate2(id_, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
  if (dataset < 0 || (!flags.empty() && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, flags.data()) < 0))
    fail_call(name, "cannot write");
}

std::vector<std::string> Hdf5File::datasets() const {
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  std::vector<std::string> names, groups = {""};
  const std::optional<Object> root = find_object(id_, "/");
  if (!root) fail_call("", "cannot read");
  std::set<std::string> seen = {root->key};
  while (!groups.empty()) {
    const std::string group = std::move(groups.back());
    groups.pop_back();
    const Handle id(H5Gopen2(id_, object_path(group).c_str(), H5P_DEFAULT), H5Gclose);
    std::vector<std::string> children;
    if (id < 0 || H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &children) < 0)
      fail_call(group, "cannot list what is in it");
    for (const std::string& child : children) {
      const std::string name = group.empty() ? child : group + '/' + child;
      if (!has(name)) fail(name, "there is nothing of this name");
      const std::optional<Object> object = find_object(id, child.c_str());
      if (!object) fail_call(name, "cannot read");
      if (!seen.insert(object->key).second)
        fail(name, "the file has another name for the same thing; expected one name for each");
      if (object->type == H5O_TYPE_DATASET) names.push_back(name);
      if (object->type != H5O_TYPE_GROUP) continue;
      if (std::count(name.begin(), name.end(), '/') >= static_cast<std::ptrdiff_t>(kDeepest))
        fail(name, fmt::format("this group lies in {} others; expected fewer", kDeepest));
      groups.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
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

void try_reading(const std::filesystem::path& path, const std::function<void()>& read,
                 const std::function<bool()>& stop) {
  static bool is_copy = false;  // where nothing needs a copy of its own
  if (is_copy) return;
  int ends[2] = {-1, -1};
  const bool connected = ::pipe(ends) == 0;
  const pid_t child = connected ? ::fork() : -1;
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    is_copy = true;
    int error = 0;  // of the system
    std::string message;
    try {
      read();
    } catch (const std::system_error& e) {
      message = e.what();
      error = e.code().value();
      if (const std::string end = ": " + e.code().message(); message.ends_with(end))
        message.resize(message.size() - end.size());
    } catch (const std::runtime_error& e) {
      message = e.what();
    } catch (const std::exception& e) {
      message = fmt::format("{} cannot be read: {}", path.string(), e.what());
    }
    message.insert(0, reinterpret_cast<const char*>(&error), sizeof error);
    // A message that nobody takes would only be the parent's loss.
    static_cast<void>(!::write(ends[1], message.data(), std::min<std::size_t>(message.size(), 4096)));
    ::_exit(0);
  }
  const int why = errno;
  std::string message;
  int status = 0;
  bool stopped = false;
  if (connected) ::close(ends[1]);
  if (child > 0) {
    char buffer[4096];
    for (ssize_t n = 1; n != 0 && !stopped;) {
      constexpr int kMilliseconds = 100;
      pollfd ready = {.fd = ends[0], .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, kMilliseconds) <= 0) {
        stopped = stop();
        continue;
      }
      n = ::read(ends[0], buffer, sizeof buffer);
      if (n > 0) message.append(buffer, static_cast<std::size_t>(n));
      if (n < 0 && errno != EINTR) break;
    }
    if (stopped) ::kill(child, SIGKILL);
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (connected) ::close(ends[0]);
  if (stopped) return;
  if (child < 0)
    throw std::system_error(why, std::generic_category(),
                            fmt::format("cannot read {}: no process for it", path.string()));
  if (status != 0)
    throw std::runtime_error(fmt::format(
        "{} is damaged in a way that HDF5 does not survive: reading it ended with {} {}", path.string(),
        WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
  int error = 0;
  std::memcpy(&error, message.data(), std::min(message.size(), sizeof error));
  message.erase(0, sizeof error);
  if (error != 0) throw std::system_error(error, std::generic_category(), message);
  if (!message.empty()) throw std::runtime_error(message);
}

}  // namespace goalpost
